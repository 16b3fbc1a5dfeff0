package hsmpool

import "context"

type requestIDKey struct{}

// WithRequestID returns a context whose requests to an HSM carry the id of the API
// request that caused them, into the worker's log and the HSM's audit entries.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// requestID returns the id that ctx carries, or nothing.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
