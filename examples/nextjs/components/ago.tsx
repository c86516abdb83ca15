'use client'
import { useEffect, useState } from 'react'

const format = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })

/** How long ago a moment was. */
export function Ago({ at }: { at: string }) {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  return <time dateTime={at}>{ago((Date.parse(at) - now) / 1000)}</time>
}

function ago(seconds: number) {
  if (seconds > -60) return format.format(Math.min(0, Math.round(seconds)), 'second')
  if (seconds > -3600) return format.format(Math.round(seconds / 60), 'minute')
  return format.format(Math.round(seconds / 3600), 'hour')
}
