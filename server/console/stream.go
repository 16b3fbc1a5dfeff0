package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/server"
)

// Times of a page's stream.
const (
	// streamPatience is how long a browser may take to read what it is sent.
	streamPatience = 15 * time.Second
	// streamCheck is how often it is looked whether the visitor is still signed in. It keeps the
	// connection alive, too.
	streamCheck = 5 * time.Second
)

// streamer says what a page's stream is asked with, and how its answers are written.
type streamer func(v *visit) (request server.StreamRequest, write func(proto.Message) (event string, data any))

// streaming answers with server-sent events (an HTML standard): those of the stream, "ready"
// before them, "health" every few seconds, "failed" if the request is refused or cannot go on, "ended" when there is no
// more, and "signed-out" when the session ends.
func (c *Console) streaming(stream streamer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, ok := c.identify(r, false)
		if !ok {
			http.Error(w, "Sign in first.", http.StatusUnauthorized)
			return
		}
		v := c.visit(w, r, who)
		request, write := stream(v)
		v.follow(request, write)
	}
}

// follow passes a stream on to the page, until it ends, the browser goes, or the visitor is
// not signed in any more.
func (v *visit) follow(request server.StreamRequest, write func(proto.Message) (string, any)) {
	s := &eventStream{w: v.w, control: http.NewResponseController(v.w)}
	_ = s.control.SetReadDeadline(time.Time{}) // that of the request would end the stream
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.Header().Set("X-Accel-Buffering", "no") // a proxy would keep events back
	if s.send("ready", struct{}{}) != nil {
		return
	}
	ctx, caller := v.context()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx, stop := contextWithWatch(ctx, v.check, func() bool {
		now, ok := v.identify(v.r, false)
		return ok && now.principal == v.principal && s.send("health", map[string]string{"trouble": v.trouble()}) == nil
	})
	request.Send = func(m proto.Message) error {
		event, data := write(m)
		if event == "" {
			return nil
		}
		err := s.send(event, data)
		if err != nil {
			cancel() // the browser is gone, which is no fault of the operation
		}
		return err
	}
	err := v.operations.Follow(ctx, request)
	stop()
	v.conclude(s, request.Method, caller.RequestID, err)
}

// conclude tells the page why its stream ends. An EventSource that is not told connects
// again.
func (v *visit) conclude(s *eventStream, method, requestID string, err *keystore.Error) {
	if _, ok := v.identify(v.r, false); !ok {
		_ = s.send("signed-out", struct{}{})
		return
	}
	if v.r.Context().Err() != nil {
		return
	}
	if err == nil {
		_ = s.send("ended", struct{}{})
		return
	}
	f := v.failed(method, requestID, err)
	_ = s.send("failed", map[string]any{
		"name": f.Name, "message": f.Message, "actions": strings.Join(f.Actions, ", "), "denied": f.Denied(), "temporary": f.Temporary(),
	})
}

// eventStream writes server-sent events, one at a time.
type eventStream struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
}

// send writes an event, and returns when it is under way.
func (s *eventStream) send(event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("writing an event of a stream: %w", err)
	}
	return s.write("event: " + event + "\ndata: " + string(text) + "\n\n")
}

func (s *eventStream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.control.SetWriteDeadline(time.Now().Add(streamPatience)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
