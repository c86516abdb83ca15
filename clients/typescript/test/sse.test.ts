import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Parser } from '../src/sse.js'

// The examples of the HTML standard, and the rules that they do not show.
const streams: [name: string, text: string, want: { data: string; event?: string; id?: string }[]][] = [
  ['one with three lines', 'data: YHOO\ndata: +2\ndata: 10\n\n', [{ data: 'YHOO\n+2\n10' }]],
  [
    'a comment, an id, an id that is reset, a leading space',
    ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n',
    [{ data: 'first event', id: '1' }, { data: 'second event' }, { data: ' third event' }],
  ],
  ['empty data, and an event that is not finished', 'data\n\ndata\ndata\n\ndata:', [{ data: '' }, { data: '\n' }]],
  ['a space after the colon or not', 'data:test\n\ndata: test\n\n', [{ data: 'test' }, { data: 'test' }]],
  ['kinds, which do not last', 'event: update\ndata: 1\n\ndata: 2\n\n', [{ event: 'update', data: '1' }, { data: '2' }]],
  ['an id without data, which lasts', 'id: 7\n\ndata: 1\n\n', [{ data: '1', id: '7' }]],
  ['two ids', 'id: 7\ndata: 1\n\nid: 8\ndata: 2\n\n', [{ data: '1', id: '7' }, { data: '2', id: '8' }]],
  ['an id with a NUL', 'id: 7\n\nid: 8\0\ndata: 1\n\n', [{ data: '1', id: '7' }]],
  ['unknown fields', 'data: 1\nother: 2\nid : 3\n\n', [{ data: '1' }]],
  ['all line ends', 'data: 1\r\ndata: 2\rdata: 3\n\r\ndata: 4\r\r', [{ data: '1\n2\n3' }, { data: '4' }]],
]

for (const [name, text, want] of streams) {
  test(`parser: ${name}`, () => {
    // However the stream is cut in two, and cut in single characters, it says the same.
    const cuts = [...Array(text.length + 1).keys()].map((at) => [text.slice(0, at), text.slice(at)])
    for (const pieces of [...cuts, [...text]]) {
      const parser = new Parser()
      const got = pieces.flatMap((piece) => parser.push(piece))
      assert.deepEqual(got, want.map((message) => ({ event: 'message', id: '', ...message })), JSON.stringify(pieces))
    }
  })
}

test('parser: the pause before a reconnect', () => {
  const parser = new Parser()
  parser.push('retry: 3000\nretry: soon\n')
  assert.equal(parser.retry, 3000)
})

test('parser: a line without end', () => {
  const parser = new Parser()
  assert.throws(() => {
    for (let i = 0; i < 17; i++) parser.push('x'.repeat(1 << 20))
  }, RangeError)
})
