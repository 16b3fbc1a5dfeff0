// Package httpserve serves a listener by HTTP: with bounds on its connections, and with an
// end that lets requests in flight finish and awaits their handlers.
package httpserve
