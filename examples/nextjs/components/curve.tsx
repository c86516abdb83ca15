import type { Chart } from '@/lib/gorgone'

const width = 320
const height = 80

/** The engagement of a tweet over time. */
export function Curve({ snapshots }: { snapshots: Chart['snapshots'] }) {
  const times = snapshots.map((point) => Date.parse(point.snapshot_at))
  const counts = snapshots.map((point) => point.total_engagement)
  const x = scale(times, 0, width)
  const y = scale(counts, height, 0)
  const points = snapshots.map((_, i) => [x(times[i]), y(counts[i])])
  return (
    <svg viewBox={`-4 -4 ${width + 8} ${height + 8}`} role="img">
      <title>{`${counts.length} snapshots`}</title>
      <polyline points={points.join(' ')} fill="none" stroke="currentColor" strokeWidth="1.5" />
      {points.map(([x, y], i) => <circle key={i} cx={x} cy={y} r="2.5" fill="currentColor" />)}
    </svg>
  )
}

function scale(values: number[], from: number, to: number) {
  const least = Math.min(...values)
  const span = Math.max(...values) - least || 1
  return (value: number) => Math.round(from + ((value - least) / span) * (to - from))
}
