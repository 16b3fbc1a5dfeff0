package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	"github.com/strongroom-kms/strongroom/server/authn"
)

// Server is a gRPC server for one listener. It owns no part of the keystore.
type Server struct {
	grpc           *grpc.Server
	inProcess      *inProcess
	health         *healthReporter
	drain          *drain
	admission      *admission
	overload       *overload
	logger         hclog.Logger
	drainTimeout   time.Duration
	patience       time.Duration
	maxConnections int
}

// New makes a server. It fails when the configuration is incomplete or the TLS
// files do not load. What it returns has to be served, if only with a context
// that has ended: gRPC has started its workers.
func New(config Config) (*Server, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(c)
	if err != nil {
		return nil, err
	}
	errs, load, d := newErrorTranslator(c.Logger), &overload{logger: c.Logger}, newDrain()
	a := newAdmission(c, errs, load, d)
	load.inFlight = a.requests.inUse
	options := append(slices.Concat(limits(c), interceptors(c, errs, a)), tuning(), grpc.Creds(transport))
	s := &Server{
		grpc:           grpc.NewServer(options...),
		health:         newHealthReporter(c.Health, c.Logger),
		drain:          d,
		admission:      a,
		overload:       load,
		logger:         c.Logger,
		drainTimeout:   c.DrainTimeout,
		patience:       c.patience,
		maxConnections: c.MaxConnections,
	}
	s.register(c)
	s.inProcess = newInProcess(c, errs, a)
	return s, nil
}

func newTransport(c Config) (credentials.TransportCredentials, error) {
	certs, err := newCertificates(c.TLS, c.Logger)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	base := credentials.NewTLS(&tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: certs.forClient,
	})
	return authn.NewTransport(base, c.Principals), nil
}

// interceptors lists the interceptors from the outside in.
func interceptors(c Config, errs *errorTranslator, a *admission) []grpc.ServerOption {
	log, rec := requestLog{logger: c.Logger, redact: c.Redact}, recovery{reject: c.Reject, logger: c.Logger}
	rej := rejecter{c.Reject}
	dl := deadlines{fallback: c.DefaultDeadline, longest: c.MaxDeadline, streaming: a.streaming}
	unary := []grpc.UnaryServerInterceptor{wiper(c.Wipe).unary, authn.Unary}
	if c.Tracing != nil {
		unary = append(unary, newTracing(c.Tracing).unary)
	}
	unary = append(unary, sendRequestID, log.unary, errs.unary, rec.unary)
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(unary...),
		grpc.ChainStreamInterceptor(a.stream, authn.Stream, sendStreamRequestID, log.stream, errs.stream,
			rec.stream, rej.stream),
		grpc.InTapHandle(dl.tap),
		grpc.UnknownServiceHandler(rej.unknown),
		grpc.ForceServerCodecV2(newCodec(c.Wipe)),
	}
}

// limits bounds what a connection can take of the server.
func limits(c Config) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(hardMaxRequestBytes),
		grpc.MaxHeaderListSize(MaxHeaderBytes),
		grpc.MaxConcurrentStreams(MaxStreams),
		grpc.StaticStreamWindowSize(windowBytes),
		grpc.StaticConnWindowSize(connectionWindowBytes),
		grpc.ConnectionTimeout(c.patience),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle:     connectionIdle,
			MaxConnectionAge:      connectionAge,
			MaxConnectionAgeGrace: connectionGrace,
			Time:                  keepaliveTime,
			Timeout:               keepaliveTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime:             clientPingMinimum,
			PermitWithoutStream: true,
		}),
		grpc.WaitForHandlers(true),
	}
}

// streamWorkers is how many goroutines are kept for requests, with the stacks
// that they have grown. They wait for the HSM and the journal most of the time,
// so there are as many as a busy server has requests in flight: with fewer, the
// rest start on new stacks, and growing those takes a tenth of the CPU.
const streamWorkers = 256

// tuning is what has been measured to help.
func tuning() grpc.ServerOption { return grpc.NumStreamWorkers(streamWorkers) }

// register registers the services and their health.
func (s *Server) register(c Config) {
	admitted := registrar{Server: s.grpc, admission: s.admission, rejecter: rejecter{c.Reject}}
	ofRegions := admitted
	ofRegions.regions = newRegions(c.Regions)
	for _, desc := range regionalServices() {
		ofRegions.RegisterService(desc, c.Default)
	}
	operatorv1.RegisterOperatorServiceServer(admitted, c.Operator)
	for name := range s.grpc.GetServiceInfo() {
		s.health.services = append(s.health.services, name)
	}
	healthv1.RegisterHealthServer(admitted, s.health.server)
	reflection.Register(admitted)
	s.admission.learn(s.grpc.GetServiceInfo())
}

// bound is the listener with what bounds its connections.
func (s *Server) bound(lis net.Listener) *boundedListener {
	return &boundedListener{
		Listener: lis, limit: int64(s.maxConnections), patience: s.patience, overload: s.overload,
		handshaking: map[*boundedConn]struct{}{},
	}
}

// Serve answers requests on the listener, which it closes, until ctx ends.
// Then it reports itself as not serving, takes no more requests, ends the
// streams and lets requests in flight finish for at most DrainTimeout. It
// returns when nothing of it runs any more, with an error only if the listener
// failed. It can be called once.
func (s *Server) Serve(ctx context.Context, lis net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.health.report()
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { s.health.watch(ctx) })
	served := make(chan error, 1)
	running.Go(func() { s.overload.watch(ctx) })
	bounded := s.bound(lis)
	running.Go(func() { served <- s.grpc.Serve(bounded) })
	select {
	case err := <-served:
		cancel()
		s.stop(bounded)
		return fmt.Errorf("serving on %v: %w", lis.Addr(), err)
	case <-ctx.Done():
		s.stop(bounded)
	}
	if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serving on %v: %w", lis.Addr(), err)
	}
	return nil
}

// stop drains the server, and cuts off what has not finished in time.
func (s *Server) stop(lis *boundedListener) {
	s.health.server.Shutdown()
	lis.hush()
	s.drain.stop()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.grpc.GracefulStop()
	}()
	timer := time.NewTimer(s.drainTimeout)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
		s.logger.Warn("requests in flight did not finish in time and are cut off", "timeout", s.drainTimeout)
		s.grpc.Stop()
		<-drained
	}
}
