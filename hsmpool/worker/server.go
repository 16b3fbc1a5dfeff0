//go:build cgo

package worker

import (
	"errors"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/defence"
	"github.com/strongroom-kms/strongroom/hsmpool/wire"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

const (
	// flushEvery bounds the replies that wait for one write while more requests are
	// at hand.
	flushEvery = 8
	// collectPercent is GOGC: the heap is a few megabytes of frames.
	collectPercent = 400
)

// server hands the requests of a started worker to its executors, its makers, its manager
// and its lister. It ends with the process: a goroutine that hangs in the library cannot be
// stopped.
type server struct {
	conn    *wire.Conn
	log     hclog.Logger
	token   *token
	pin     []byte // from the start to the login
	objects *objects
	manager *manager
	lister  *lister
	makers  []*maker
	managed *lane // the manager's
	// executors are those that the worker has started with; some may have ended.
	executors []*executor
	progress  progress
	counts    *counts
	state     atomic.Pointer[workerv1.TokenState] // what is not yet reported
	data      chan *workerv1.ToWorker
	making    chan *workerv1.ToWorker
	managing  chan *workerv1.ToWorker
	listing   chan *workerv1.ToWorker
	serving   sync.WaitGroup // the goroutines of executors, makers and lister
	stopping  chan struct{}  // closed when no request is taken any more
	stopped   chan struct{}  // closed when the library has been finalised
	batch     int            // replies in one write
}

// serveToken has the token selected and waits to be told whether to log in or to stop;
// once the user is logged in it serves until the server has the worker stop.
func serveToken(conn *wire.Conn, calls *announcer, log hclog.Logger, requests <-chan *workerv1.ToWorker, first *workerv1.ToWorker) error {
	debug.SetGCPercent(collectPercent)
	r := first.GetStart()
	s := newServer(conn, log, r)
	defer s.forgetPIN()
	failure := s.start(calls, r)
	if failure != nil {
		s.tellEnd()
	}
	if err := reply(conn, first.GetId(), failure); err != nil || failure != nil {
		return err
	}
	switch second := <-requests; q := second.GetRequest().(type) {
	case *workerv1.ToWorker_Login:
		return s.serve(requests, second.GetId(), q.Login, r)
	case *workerv1.ToWorker_Stop:
		return reply(conn, second.GetId(), s.token.finalize())
	}
	return errors.New("a worker that has selected its token is asked neither to log in nor to stop")
}

func newServer(conn *wire.Conn, log hclog.Logger, r *workerv1.StartRequest) *server {
	return &server{
		conn: conn, log: log,
		managed:  newLane(),
		counts:   newCounts(),
		data:     make(chan *workerv1.ToWorker, r.GetMaxInFlight()),
		making:   make(chan *workerv1.ToWorker, r.GetMaxInFlight()),
		managing: make(chan *workerv1.ToWorker, r.GetMaxInFlight()),
		listing:  make(chan *workerv1.ToWorker, r.GetMaxInFlight()),
		stopping: make(chan struct{}),
		stopped:  make(chan struct{}),
		batch:    1,
	}
}

// serve logs in, answers that and carries out requests until the one to stop. If it cannot
// begin, the library is finalised.
func (s *server) serve(requests <-chan *workerv1.ToWorker, id uint64, q *workerv1.LoginRequest, r *workerv1.StartRequest) error {
	executors, refused, err := s.enter(q.GetRefused(), int(r.GetSessions()))
	if err != nil {
		s.token.giveUp()
		s.tellEnd()
		answer := failed(err)
		answer.Id, answer.RefusedPin = id, refused
		return s.send(answer)
	}
	s.executors = executors
	every := max(time.Duration(r.GetReportEveryMicros())*time.Microsecond, minReport)
	s.run(every, requests)
	if err := s.tell(); err != nil {
		return err
	}
	if err := s.send(&workerv1.Reply{Id: id, Keys: s.objects.count(), Sessions: s.sessions()}); err != nil {
		return err
	}
	go s.report(every)
	<-s.stopped
	return nil
}

// minReport bounds how often progress is reported.
const minReport = time.Millisecond

// run starts the goroutines that serve requests.
func (s *server) run(every time.Duration, requests <-chan *workerv1.ToWorker) {
	for _, e := range s.executors {
		l := newLane()
		s.progress.data = append(s.progress.data, l)
		s.serving.Go(func() { s.execute(e, l) })
	}
	for _, m := range s.makers {
		s.progress.slow = append(s.progress.slow, m.lane)
		s.serving.Go(func() { s.make(m) })
	}
	s.progress.slow = append(s.progress.slow, s.managed, s.lister.lane)
	s.serving.Go(s.list)
	s.serving.Go(func() { s.askToken(every) })
	go s.manage()
	go s.dispatch(requests)
}

// start reads the PIN, brings the library up and selects the token. If a step after
// C_Initialize fails, the library is finalised.
func (s *server) start(calls *announcer, r *workerv1.StartRequest) error {
	read := func() (err error) {
		if s.pin, err = readPIN(r.GetPin()); err != nil {
			return unavailable(err, "check the PIN's source")
		}
		return nil
	}
	open := func() (err error) {
		s.token, err = openToken(calls, s.counts, s.log, r)
		return err
	}
	steps := []func() error{read, open}
	if !defence.On(defence.PINFirst) {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// forgetPIN wipes the PIN, which is needed for one login.
func (s *server) forgetPIN() {
	clear(s.pin)
	s.pin = nil
}

// enter logs in, lists the keys and opens the sessions. It also returns what names the PIN
// if the token refused it.
func (s *server) enter(known []*workerv1.RefusedPin, sessions int) ([]*executor, *workerv1.RefusedPin, error) {
	defer s.forgetPIN()
	session, err := s.token.openSession()
	if err != nil {
		return nil, nil, err
	}
	if refused, err := s.token.login(session, s.pin, known); err != nil {
		return nil, refused, err
	}
	executors, err := s.prepare(session, sessions)
	s.token.starting.release()
	return executors, nil, err
}

// prepare lists the keys of a token to which the user is logged in, and opens the sessions.
func (s *server) prepare(session pkcs11.SessionHandle, sessions int) ([]*executor, error) {
	s.objects = &objects{ctx: s.token.ctx, storing: &s.token.storing, log: s.log, refresh: s.token.refresher()}
	s.manager = &manager{executor: &executor{token: s.token, objects: s.objects, session: session}}
	var err error
	if s.manager.sync, err = s.syncer(); err != nil {
		return nil, unavailable(err, "check its disk")
	}
	if _, err := s.manager.sync(); err != nil { // the login wrote to the token
		return nil, unavailable(err, "check its disk")
	}
	if err := s.objects.list(session); err != nil {
		return nil, s.manager.judge(err, "listing the token's keys")
	}
	if s.lister, err = newLister(s.token, s.objects); err != nil {
		return nil, err
	}
	random, err := s.token.random()
	if err != nil {
		return nil, err
	}
	return s.openExecutors(sessions, random)
}

// dispatch hands out requests. After the one to stop it takes no more.
func (s *server) dispatch(requests <-chan *workerv1.ToWorker) {
	stopping := false
	for m := range requests {
		if stopping {
			continue
		}
		switch m.GetRequest().(type) {
		case *workerv1.ToWorker_Seal, *workerv1.ToWorker_Open, *workerv1.ToWorker_Random,
			*workerv1.ToWorker_Sign, *workerv1.ToWorker_Decrypt, *workerv1.ToWorker_Agree,
			*workerv1.ToWorker_Locate:
			s.data <- m
		case *workerv1.ToWorker_Forget: // needs no session, and comes before all that wait for one
			s.serving.Go(func() { s.forget(m) })
		case *workerv1.ToWorker_GeneratePair, *workerv1.ToWorker_SelfTest:
			s.making <- m
		case *workerv1.ToWorker_List:
			s.listing <- m
		case *workerv1.ToWorker_Stop:
			stopping = true
			close(s.stopping)
			close(s.data)
			close(s.making)
			close(s.listing)
			s.managing <- m
		default:
			s.managing <- m
		}
	}
}

// forget drops the handle of a key that was, or will be, destroyed elsewhere.
func (s *server) forget(m *workerv1.ToWorker) {
	reply := s.objects.forgetKey(m.GetForget())
	reply.Id = m.GetId()
	if err := s.send(reply); err != nil {
		s.log.Error("answering", "error", err)
	}
}

// execute serves data requests on one session. Replies gather while requests are at
// hand, so that many leave in one write.
func (s *server) execute(e *executor, l *lane) {
	gathered := 0
	for m := range s.data {
		l.begin()
		reply := e.handle(m)
		l.end()
		reply.Id = m.GetId()
		s.append(reply)
		e.wipe()
		if gathered++; gathered < s.batch && len(s.data) > 0 && !e.ended {
			continue
		}
		gathered = 0
		s.flush()
		if e.ended {
			return
		}
	}
}

// make serves requests for pairs that are handed out, and self-tests.
func (s *server) make(k *maker) {
	for m := range s.making {
		k.lane.begin()
		reply := k.handle(m)
		k.lane.end()
		reply.Id = m.GetId()
		if err := s.send(reply); err != nil {
			s.log.Error("answering", "error", err)
		}
		k.wipe()
	}
}

// list serves requests for what the token has.
func (s *server) list() {
	for m := range s.listing {
		for _, reply := range s.lister.handle() {
			reply.Id = m.GetId()
			if err := s.send(reply); err != nil {
				s.log.Error("answering", "error", err)
			}
		}
	}
}

// manage serves management requests, and ends with the one to stop, for which it waits
// until nobody uses the library.
func (s *server) manage() {
	for m := range s.managing {
		_, stop := m.GetRequest().(*workerv1.ToWorker_Stop)
		if stop {
			s.serving.Wait()
		}
		s.managed.begin()
		reply := s.manager.handle(m)
		s.managed.end()
		reply.Id = m.GetId()
		if err := s.send(reply); err != nil {
			s.log.Error("answering", "error", err)
		}
		if stop {
			close(s.stopped)
			return
		}
	}
}

func (s *server) append(r *workerv1.Reply) {
	if err := s.conn.Append(&workerv1.FromWorker{Message: &workerv1.FromWorker_Reply{Reply: r}}); err != nil {
		s.log.Error("answering", "error", err)
	}
}

func (s *server) flush() {
	if err := s.conn.Flush(); err != nil {
		s.log.Debug("answering a server that is gone", "error", err)
	}
}

func (s *server) send(r *workerv1.Reply) error {
	s.append(r)
	return s.conn.Flush()
}
