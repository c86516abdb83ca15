'use client'
import { GorgoneError } from '@gorgone/client'
import { useRouter } from 'next/navigation'
import { useEffect, useState } from 'react'
import { type Chart, gorgone } from './gorgone'

/** The charts of the tweets with the most engagement, kept up to date. */
export function useCharts(limit: number) {
  const [charts, setCharts] = useState<Map<string, Chart>>()
  const [error, setError] = useState<Error>()
  const router = useRouter()

  useEffect(() => {
    const leave = new AbortController()
    const { signal } = leave

    const load = async (id: string) =>
      (await gorgone.get('/api/twitter/engagement/{id}', { params: { path: { id } }, signal })).data

    const loadAll = async () => {
      const { data } = await gorgone.get('/api/twitter/engagement/top', { params: { query: { by: 'engagement', limit } }, signal })
      return new Map(await Promise.all(data.map(async ({ id }) => [id, await load(id)] as const)))
    }

    const follow = async () => {
      let shown = new Map<string, Chart>()
      for await (const event of gorgone.events({ signal })) {
        if (event.type === 'hello' || event.type === 'reset') setCharts((shown = await loadAll()))
        if (event.type !== 'update') continue
        for (const { id } of event.data.tweets) {
          if (shown.has(id)) setCharts((shown = new Map(shown).set(id, await load(id))))
        }
      }
    }

    follow().catch((error) => {
      if (signal.aborted) return
      if (error instanceof GorgoneError && error.status === 401) router.push('/login')
      else setError(error)
    })
    return () => leave.abort()
  }, [limit, router])

  return { charts, error }
}
