package hsmpool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// The values of Config fields left zero.
const (
	DefaultHangTimeout       = 10 * time.Second
	DefaultManagementTimeout = 60 * time.Second
	DefaultStartTimeout      = 60 * time.Second
	DefaultMaxInFlight       = 1024
	// DefaultSoftHSMSessions is one: SoftHSM's locks make a second busy session useless.
	DefaultSoftHSMSessions = 1
	// DefaultPKCS11Sessions is what a token of which nothing is known is asked for.
	DefaultPKCS11Sessions = 8
	// DefaultSessions keeps that many requests at a networked HSM.
	DefaultSessions = 32
)

// Auditor records what is asked of an HSM. *audit.Trail is one. What it was given
// is its own to keep and to write, in that order, however long that takes.
type Auditor interface {
	// Boot counts a start of the HSM's worker and returns its reboot counter. It does
	// not wait.
	Boot(hsmID string) (uint32, error)
	// QueueHSM records management calls. It does not wait.
	QueueHSM(hsmID string, cmds ...audit.HSMCommand) error
	// FlushHSM returns nil once all that was recorded before is durable, and an error
	// if an attempt to make it so has failed or ctx has ended.
	FlushHSM(ctx context.Context) error
}

// TokenSelector chooses a token by label, serial number or both. Exactly one token
// must match.
type TokenSelector struct{ Label, Serial string }

// PINSource says where the worker reads a PIN. Exactly one field is set.
type PINSource struct {
	// File is a file whose first line is the PIN.
	File string
	// Env is an environment variable: of Config.Env, or else of this process, which
	// then hands that one variable on.
	Env string
	// Command prints the PIN; its first element is the program.
	Command []string
	// Secret is the PIN itself, as it is. A Pool keeps a copy in memory, because each
	// new worker has to log in, until it is closed; the caller may wipe his.
	Secret []byte
}

// Member is one of several HSMs that hold the same keys: an HSM of a cluster, or a way
// to one. What it leaves empty is as Config says.
type Member struct {
	// HSMID names it in the audit trails; no two members have the same.
	HSMID   string
	Library string
	Token   TokenSelector
	Env     []string
}

// Config says which HSMs to use and how.
type Config struct {
	// Library is the path of the PKCS#11 library.
	Library string
	Token   TokenSelector
	PIN     PINSource
	// Profile is "softhsm", "cloudhsm", or "pkcs11" for any other library.
	Profile string
	// Env is the worker's whole environment, as "NAME=value"; PATH is added.
	Env []string
	// HSMID and ClusterID name the HSM in the audit trails; derived from the token's
	// serial number when empty.
	HSMID, ClusterID string
	// Members are the HSMs, if they are several; at most 28, as AWS CloudHSM has. Each
	// has a worker of its own. Empty: the one that the fields above describe.
	Members []Member
	// Availability is how many members must know a new key before Generate and Import
	// return; a key that fewer know is destroyed. Default: 2 of several members, as the
	// AWS CloudHSM client has it, else 1.
	Availability int
	// Sessions that use keys, of each member; default 1 (softhsm), 32 (cloudhsm) or 8 (pkcs11).
	Sessions int
	// HangTimeout is how long the library may be at one request that uses a key or draws
	// random bytes, and how long a worker may be silent, before it counts as hung and
	// is killed. Default 10 s.
	HangTimeout time.Duration
	// ManagementTimeout is the same of making, destroying or listing keys. Default 60 s.
	ManagementTimeout time.Duration
	// StartTimeout bounds the start of a worker. Default 60 s.
	StartTimeout time.Duration
	// MaxInFlight bounds requests that use keys and wait for an answer; more fail with
	// Busy. Default 1024. Making and destroying keys has a limit of its own.
	MaxInFlight int
	// WorkerCommand starts a worker; default "/proc/self/exe hsm-worker".
	WorkerCommand []string
	// Logger gets the pool's log and, under the name hsm-worker, the workers'. May be nil.
	Logger hclog.Logger
	// Auditor is required.
	Auditor Auditor
	// Guard remembers refused PINs. Nil: the pool does, as long as it lives.
	Guard *PINGuard
}

// withDefaults returns the config complete, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if err := c.check(); err != nil {
		return Config{}, err
	}
	c.PIN.Secret = bytes.Clone(c.PIN.Secret)
	c.Logger = orNullLogger(c.Logger)
	c.WorkerCommand = orDefaultCommand(c.WorkerCommand)
	c.HangTimeout = orDefault(c.HangTimeout, DefaultHangTimeout)
	c.ManagementTimeout = orDefault(c.ManagementTimeout, DefaultManagementTimeout)
	c.StartTimeout = orDefault(c.StartTimeout, DefaultStartTimeout)
	c.MaxInFlight = orDefault(c.MaxInFlight, DefaultMaxInFlight)
	c.Sessions = orDefault(c.Sessions, defaultSessions(c.Profile))
	c.Availability = orDefault(c.Availability, min(defaultAvailability, max(1, len(c.Members))))
	if c.Guard == nil {
		c.Guard = NewPINGuard(newMemoryLogins())
	}
	return c, nil
}

// members returns the config of each member. The PIN's copy is common to all.
func (c Config) members() []Config {
	if len(c.Members) == 0 {
		return []Config{c}
	}
	all := make([]Config, len(c.Members))
	for i, m := range c.Members {
		all[i] = c
		all[i].Members = nil
		all[i].HSMID = orDefault(m.HSMID, c.HSMID)
		all[i].Library = orDefault(m.Library, c.Library)
		all[i].Token = orDefault(m.Token, c.Token)
		if m.Env != nil {
			all[i].Env = m.Env
		}
	}
	return all
}

const (
	defaultAvailability = 2
	maxMembers          = 28
	// minPlaces lets a worker with one session answer many requests in one write, and
	// placesPerSession keeps the next request at hand for each.
	minPlaces        = 64
	placesPerSession = 2
	// maxAside bounds what a worker is asked beside places: to locate and to forget keys,
	// to make and to list them, a probe.
	maxAside = 64
)

// usingPlaces is how many requests that use keys are at a member at the same time, and
// makingPlaces how many for pairs that are handed out.
func (c Config) usingPlaces() int {
	return min(c.MaxInFlight, max(minPlaces, placesPerSession*c.Sessions))
}

func (c Config) makingPlaces() int { return min(c.MaxInFlight, max(placesPerSession, c.Sessions/4)) }

func defaultSessions(profile string) int {
	switch profile {
	case ckr.ProfileSoftHSM:
		return DefaultSoftHSMSessions
	case ckr.ProfilePKCS11:
		return DefaultPKCS11Sessions
	default:
		return DefaultSessions
	}
}

func orNullLogger(l hclog.Logger) hclog.Logger {
	if l == nil {
		return hclog.NewNullLogger()
	}
	return l
}

// orDefaultCommand returns command, or this program as a worker.
func orDefaultCommand(command []string) []string {
	if len(command) == 0 {
		return []string{"/proc/self/exe", "hsm-worker"}
	}
	return command
}

// orDefault returns v, or def if v is zero.
func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func (c Config) check() error {
	switch {
	case c.Library == "":
		return errors.New("no PKCS#11 library is named")
	case c.Token == TokenSelector{}:
		return errors.New("no token is named: give its label or its serial number")
	case !slices.Contains(profiles(), c.Profile):
		return fmt.Errorf("unknown profile %q: want one of %q", c.Profile, profiles())
	case c.Auditor == nil:
		return errors.New("no auditor")
	case c.Availability < 0 || c.Availability > max(1, len(c.Members)):
		return fmt.Errorf("a new key cannot be on %d of %d HSMs", c.Availability, max(1, len(c.Members)))
	case c.Sessions < 0 || c.MaxInFlight < 0 || c.HangTimeout < 0 || c.ManagementTimeout < 0 || c.StartTimeout < 0:
		return errors.New("sessions, limits and timeouts cannot be negative")
	}
	if err := c.checkMembers(); err != nil {
		return err
	}
	return nil
}

// checkMembers sees to it that the audit trails can tell members apart.
func (c Config) checkMembers() error {
	if len(c.Members) > maxMembers {
		return fmt.Errorf("%d HSMs in a cluster: at most %d are possible", len(c.Members), maxMembers)
	}
	names := map[string]bool{}
	for _, m := range c.Members {
		if m.HSMID == "" && len(c.Members) > 1 || names[m.HSMID] {
			return fmt.Errorf("each of several HSMs needs an id of its own, which %q is not", m.HSMID)
		}
		names[m.HSMID] = true
	}
	return nil
}

func profiles() []string {
	return []string{ckr.ProfileSoftHSM, ckr.ProfileCloudHSM, ckr.ProfilePKCS11}
}

func (s PINSource) check() error {
	set := 0
	for _, given := range []bool{s.File != "", s.Env != "", len(s.Command) > 0, len(s.Secret) > 0} {
		if given {
			set++
		}
	}
	if set != 1 {
		return errors.New("a PIN comes from exactly one of a file, an environment variable, a command and a secret")
	}
	return nil
}

func (s PINSource) proto() *workerv1.PinSource {
	return &workerv1.PinSource{File: s.File, Env: s.Env, Command: s.Command, Secret: s.Secret}
}

func (s TokenSelector) proto() *workerv1.TokenSelector {
	return &workerv1.TokenSelector{Label: s.Label, Serial: s.Serial}
}
