'use client'
import { useCharts } from '@/lib/charts'
import { Ago } from './ago'
import { Curve } from './curve'
import { RefreshButton } from './refresh-button'

/** The tweets with the most engagement. */
export function Board() {
  const { charts, error } = useCharts(5)
  if (error) return <p role="alert">{error.message}</p>
  if (!charts) return <p>Loading…</p>
  return [...charts.values()].map((chart) => (
    <article key={chart.id} data-tweet={chart.id}>
      <p>{chart.text}</p>
      <Curve snapshots={chart.snapshots} />
      <p>
        <strong>{chart.metrics.total_engagement.toLocaleString('en')}</strong> engagements
        {chart.last_updated ? <>, updated <Ago at={chart.last_updated} /></> : ', not looked up yet'}
      </p>
      <RefreshButton id={chart.id} />
    </article>
  ))
}
