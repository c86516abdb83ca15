/** A server-sent event as it is on the wire. */
export interface Message {
  event: string
  data: string
  /** The last id that the stream gave up to here. */
  id: string
}

/** The most characters that an event may have. */
const maxLength = 16 << 20

/**
 * Parses a stream of server-sent events as the HTML standard says
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
 */
export class Parser {
  /** Milliseconds to wait before a reconnect, if the server has said so. */
  retry: number | undefined

  #rest = ''
  #afterCR = false
  #event = ''
  #data: string[] = []
  #length = 0
  #id: string

  constructor(lastEventId = '') {
    this.#id = lastEventId
  }

  /** Takes the next piece of the stream and returns the events that it completes. */
  push(text: string): Message[] {
    const messages: Message[] = []
    // A CR ends a line at once; the LF that may follow in the next piece is part of it.
    if (this.#afterCR && text.startsWith('\n')) text = text.slice(1)
    if (text !== '') this.#afterCR = text.endsWith('\r')
    const [head = '', ...tail] = text.split(/\r\n|\r|\n/)
    const lines = [this.#rest + head, ...tail]
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const message = this.#line(line)
      if (message) messages.push(message)
    }
    if (this.#length + this.#rest.length > maxLength) throw new RangeError('an event is too long')
    return messages
  }

  #line(line: string): Message | undefined {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return undefined // a comment
    const field = colon < 0 ? line : line.slice(0, colon)
    let value = colon < 0 ? '' : line.slice(colon + 1)
    if (value.startsWith(' ')) value = value.slice(1)
    switch (field) {
      case 'event':
        this.#event = value
        break
      case 'data':
        this.#data.push(value)
        this.#length += value.length
        break
      case 'id':
        if (!value.includes('\0')) this.#id = value
        break
      case 'retry':
        if (/^\d+$/.test(value)) this.retry = Number(value)
        break
    }
    return undefined
  }

  #dispatch(): Message | undefined {
    const message = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id }
    const empty = this.#data.length === 0
    this.#event = ''
    this.#data = []
    this.#length = 0
    return empty ? undefined : message
  }
}
