import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

test('docs/nextjs.md shows the files as they are', async () => {
  const page = await readFile('../../docs/nextjs.md', 'utf8')
  const shown = [...page.matchAll(/^```tsx?\n\/\/ (\S+)\n(.*?)^```$/gms)]
  assert.equal(shown.length, 4)
  for (const [, path, text] of shown) assert.equal(text, await readFile(path, 'utf8'), path)
})
