// Package throttle decides when a provider may be called. All replicas that use one API
// key follow the same state, which they share through cells of package queue:
//
//   - a [Limiter] holds them to one rate (GCRA), pauses them all after the provider's
//     429, and then restores the rate step by step (AIMD);
//   - a [Breaker] stops calls that can lead to nothing: the account is empty, the key is
//     refused, or the provider keeps failing;
//   - an [Account] keeps the balance that is left at the provider.
//
// [Providers] lists the providers that can be called, in order of preference.
//
// All times are the database's, which is the clock that replicas share.
package throttle
