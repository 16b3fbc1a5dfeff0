package connect

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/strongroom-kms/strongroom/client"
)

func TestInterrupted(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"by the context", context.Canceled, true},
		{"during a call", &client.Error{Code: codes.Canceled}, true},
		{"within another error", fmt.Errorf("sealing: %w", &client.Error{Code: codes.Canceled}), true},
		{"the server says that it was", &client.Error{Name: "RequestAbortedException", Code: codes.Canceled}, false},
		{"timeout", &client.Error{Code: codes.DeadlineExceeded}, false},
		{"success", nil, false},
	}
	for _, tc := range tests {
		if got := Interrupted(tc.err); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}
