'use server'
import { redirect } from 'next/navigation'
import { supabase } from '@/lib/session'

/** Signs in with e-mail and password. Returns what is wrong. */
export async function signIn(_: string | undefined, form: FormData) {
  const { auth } = await supabase()
  const { error } = await auth.signInWithPassword({
    email: String(form.get('email')),
    password: String(form.get('password')),
  })
  if (error) return error.message
  redirect('/')
}

export async function signOut() {
  const { auth } = await supabase()
  await auth.signOut()
  redirect('/login')
}
