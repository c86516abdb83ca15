// Package forms has what operators send to the HTTP API and what they see of it, as JSON:
// alert rules, webhooks, pauses and the settings of zones. It checks what was sent; whether
// the sender may do so is checked by package web.
package forms
