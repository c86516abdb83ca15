import { Board } from '@/components/board'
import { signOut } from './login/actions'

export default function Page() {
  return (
    <main>
      <header>
        <h1>What moves most</h1>
        <form action={signOut}>
          <button>Sign out</button>
        </form>
      </header>
      <Board />
    </main>
  )
}
