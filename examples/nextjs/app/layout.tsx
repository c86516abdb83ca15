import type { Metadata } from 'next'
import './globals.css'

export const metadata: Metadata = { title: 'Gorgone in Next.js' }

export default function Layout({ children }: LayoutProps<'/'>) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
