'use client'
import { useActionState } from 'react'
import { signIn } from './actions'

export default function Page() {
  const [error, action, pending] = useActionState(signIn, undefined)
  return (
    <main>
      <h1>Sign in</h1>
      <form action={action}>
        <input name="email" type="email" placeholder="E-mail" autoComplete="username" required />
        <input name="password" type="password" placeholder="Password" autoComplete="current-password" required />
        <button disabled={pending}>Sign in</button>
        {error && <p role="alert">{error}</p>}
      </form>
    </main>
  )
}
