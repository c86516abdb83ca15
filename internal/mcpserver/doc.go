// Package mcpserver lets assistants ask about tweets, by the Model Context Protocol. Its
// tools call the HTTP API with the token of whoever uses them, so that nothing is allowed,
// and nothing paid for, that the API would refuse.
package mcpserver
