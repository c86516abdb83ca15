'use client'
import { useState, useTransition } from 'react'
import { gorgone } from '@/lib/gorgone'

export function RefreshButton({ id }: { id: string }) {
  const [error, setError] = useState<string>()
  const [pending, start] = useTransition()
  const refresh = () => gorgone.refresh(id, { retry: false }).then(() => setError(undefined), (error) => setError(error.message))
  return <button disabled={pending} aria-busy={pending} onClick={() => start(refresh)}>{pending ? 'Refreshing…' : (error ?? 'Refresh')}</button>
}
