package chaos

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// How a request may end.
func TestOutcomes(t *testing.T) {
	const away, wrong = "KeyUnavailableException", "InvalidCiphertextException"
	for _, test := range []struct {
		name   string
		r      request
		wanted []string
		kind   kind
		want   bool
	}{
		{"as wanted", request{Calm: true}, []string{""}, secret, true},
		{"one of several wanted", request{Calm: true, Outcome: wrong}, []string{"", wrong}, secret, true},
		{"success that is wrong", request{}, []string{wrong}, secret, false},
		{"an error that is wrong, during faults", request{Outcome: wrong}, []string{""}, secret, false},
		{"away during faults", request{Outcome: away}, []string{""}, secret, true},
		{"away in the calm", request{Outcome: away, Calm: true}, []string{""}, secret, false},
		{"lost during faults", request{Lost: "Unavailable"}, []string{""}, secret, true},
		{"lost in the calm", request{Lost: "Unavailable", Calm: true}, []string{""}, secret, false},
		{"the state of a key, during faults", request{Outcome: invalidState}, []string{""}, secret, false},
		{"the state of a key in the key store", request{Outcome: invalidState}, []string{""}, stored, true},
	} {
		if got := test.r.asExpected(test.wanted, test.kind); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestLate(t *testing.T) {
	for took, want := range map[time.Duration]bool{time.Second + slack: false, time.Second + slack + 1: true} {
		if r := (request{Deadline: time.Second, Took: took}); r.late() != want {
			t.Errorf("%v of a second: late is %v, want %v", took, r.late(), want)
		}
	}
}

// What is known of a key after a change.
func TestStates(t *testing.T) {
	for _, test := range []struct {
		name string
		r    request
		want []kmsv1.KeyState
		uses []string
	}{
		{"answered", request{}, []kmsv1.KeyState{disabled}, []string{"DisabledException"}},
		{"refused", request{Outcome: "KMSInternalException"}, []kmsv1.KeyState{enabled}, []string{""}},
		{"lost", request{Lost: "Unavailable"}, []kmsv1.KeyState{enabled, disabled}, []string{"", "DisabledException"}},
	} {
		k := &key{states: []kmsv1.KeyState{enabled}}
		k.became(&test.r, disabled)
		if !slices.Equal(k.states, test.want) || !slices.Equal(k.using(""), test.uses) {
			t.Errorf("%s: %v, used with %q, want %v, %q", test.name, k.states, k.using(""), test.want, test.uses)
		}
	}
}

// Each answer has one event, as it was answered; no event lacks its request.
func TestCheckEvents(t *testing.T) {
	answered := &request{Operation: "Encrypt", ID: "1"}
	refused := &request{Operation: "CreateKey", ID: "2", Outcome: "KMSInternalException"}
	lost := &request{Operation: "Encrypt", Lost: "Unavailable", Mark: "client-1-step-1"}
	halfLost := &request{Operation: "Encrypt", ID: "3", Lost: "Unavailable"}
	of := func(name, id, code string) *event { return &event{EventName: name, RequestID: id, ErrorCode: code} }
	marked := func(mark string) *event {
		return &event{EventName: "Encrypt", RequestID: "9", RequestParameters: []byte(`{"encryptionContext":{"by":"` + mark + `"}}`)}
	}
	service := func(name string) *event { return &event{EventName: name, EventType: "AwsServiceEvent", RequestID: "9"} }
	for _, test := range []struct {
		name     string
		requests []*request
		events   []*event
		want     string // of the violation; empty: there is none
	}{
		{"as it should be", []*request{answered, refused}, []*event{of("CreateKey", "2", "KMSInternalException"), of("Encrypt", "1", "")}, ""},
		{"no event", []*request{answered}, nil, "has 0 events"},
		{"two events", []*request{answered}, []*event{of("Encrypt", "1", ""), of("Encrypt", "1", "")}, "has 2 events"},
		{"another operation's", []*request{answered}, []*event{of("Decrypt", "1", "")}, "has the event of Decrypt"},
		{"another outcome", []*request{answered}, []*event{of("Encrypt", "1", "DisabledException")}, "its event says"},
		{"success in place of an error", []*request{refused}, []*event{of("CreateKey", "2", "")}, "its event says"},
		{"an event without a request", nil, []*event{of("Encrypt", "1", "")}, "nobody has asked"},
		{"no request id", []*request{{Operation: "Encrypt"}}, nil, "without a request id"},
		{"a lost answer without an event", []*request{lost}, nil, ""},
		{"a lost answer with one", []*request{lost}, []*event{marked(lost.Mark)}, ""},
		{"a lost answer with two", []*request{lost}, []*event{marked(lost.Mark), marked(lost.Mark)}, "nobody has asked"},
		{"a lost answer and another one's event", []*request{lost}, []*event{marked("client-1-step-11")}, "nobody has asked"},
		{"a lost answer with one, and what it left cleared away", []*request{lost}, []*event{service("Encrypt"), marked(lost.Mark)}, ""},
		{"a lost answer settled by the service", []*request{lost}, []*event{service("Encrypt")}, ""},
		{"an id, but no answer", []*request{halfLost}, []*event{of("Encrypt", "3", "InternalFailure")}, ""},
		{"an id, no answer and no event", []*request{halfLost}, nil, "has 0 events"},
		{"cleared away by the service", []*request{refused}, []*event{of("CreateKey", "2", "KMSInternalException"), service("CreateKey")}, ""},
		{"the service without a reason", []*request{answered}, []*event{of("Encrypt", "1", ""), service("Encrypt")}, "nobody has asked"},
		{"the service's audit key", nil, []*event{service(createAuditKey)}, ""},
		{"its audit key after an attempt that failed", nil, []*event{{EventName: createAuditKey, EventType: "AwsServiceEvent", RequestID: "8", ErrorCode: "KMSInternalException"}, service(createAuditKey)}, ""},
		{"two audit keys", nil, []*event{service(createAuditKey), service(createAuditKey)}, "nobody has asked"},
		{"an audit key by somebody else", nil, []*event{of(createAuditKey, "9", "")}, "nobody has asked"},
	} {
		t.Run(test.name, func(t *testing.T) { expectFound(t, checkEvents(test.requests, test.events, "own"), test.want) })
	}
}

// expectFound expects one violation that says something, or none.
func expectFound(t *testing.T, found []violation, want string) {
	t.Helper()
	if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || !strings.Contains(found[0].String(), want)) {
		t.Errorf("found %v, want one that says %q", found, want)
	}
}

// Each management call has its entry, and each entry its call.
func TestCheckLog(t *testing.T) {
	at := time.Now()
	made := faultp11.Call{Function: "C_GenerateKey", Session: 5, Object: 7, Time: at}
	failed := faultp11.Call{Function: "C_DestroyObject", RV: ckr.DeviceError, Session: 5, Object: 7, Time: at}
	length := faultp11.Call{Function: "C_WrapKey", Session: 5, Time: at, Remarks: []string{"length-only"}}
	refused := length
	refused.RV = ckr.KeyHandleInvalid
	entryOf := func(no uint64, c faultp11.Call) *entry {
		return &entry{SequenceNo: no, Time: c.Time, Function: c.Function, RV: uint64(c.RV), SessionHandle: c.Session, PrivateHandle: c.Object}
	}
	after := made
	after.Time = at.Add(time.Millisecond)
	killed := made
	killed.Time = at.Add(-2 * unsaid)
	late := entryOf(0, made)
	late.Time = at.Add(time.Minute)
	silent := func(function string) *entry { return &entry{Function: function, NoReply: true} }
	for _, test := range []struct {
		name    string
		calls   []faultp11.Call
		entries []*entry
		dead    kills
		want    string
	}{
		{"as it should be", []faultp11.Call{made, {Function: "C_Encrypt"}, length, failed}, []*entry{entryOf(0, made), entryOf(1, failed)}, nil, ""},
		{"a call that asked for a length in vain", []faultp11.Call{refused}, []*entry{entryOf(0, refused)}, nil, ""},
		{"a call without an entry", []faultp11.Call{made}, nil, nil, "the log lacks"},
		{"an entry without a call", nil, []*entry{entryOf(0, made)}, nil, "no such call"},
		{"two entries of a call", []faultp11.Call{made}, []*entry{entryOf(0, made), entryOf(1, made)}, nil, "no such call"},
		{"an entry of another time", []faultp11.Call{made}, []*entry{late, entryOf(1, made)}, nil, "no such call"},
		{"one of two like calls, each of its own time", []faultp11.Call{killed, made}, []*entry{entryOf(0, made)}, kills{killed.Time}, ""},
		{"a number is missing", []faultp11.Call{made}, []*entry{entryOf(1, made)}, nil, "has the number 1"},
		{"no reply, and nothing was done", nil, []*entry{silent("C_GenerateKey")}, nil, ""},
		{"no reply, and it was done", []faultp11.Call{made}, []*entry{silent("C_GenerateKey")}, nil, ""},
		{"no reply of another function", []faultp11.Call{made}, []*entry{silent("C_DestroyObject")}, nil, "the log lacks"},
		{"no reply, and it was done twice", []faultp11.Call{made, made}, []*entry{silent("C_GenerateKey")}, nil, "the log lacks"},
		{"while the log was read", []faultp11.Call{after}, nil, nil, ""},
		{"an entry from while the log was read", []faultp11.Call{after}, []*entry{entryOf(0, after)}, nil, ""},
		{"just before the server was killed", []faultp11.Call{made}, nil, kills{at.Add(unsaid / 2)}, ""},
		{"long before the server was killed", []faultp11.Call{made}, nil, kills{at.Add(2 * unsaid)}, "the log lacks"},
	} {
		t.Run(test.name, func(t *testing.T) {
			expectFound(t, checkLog("hsm", test.calls, test.entries, test.dead, at), test.want)
		})
	}
}

// A PIN that a token refuses is one too many.
func TestCheckPINs(t *testing.T) {
	for rv, want := range map[ckr.RV]string{ckr.OK: "", ckr.DeviceError: "", ckr.PINIncorrect: "PINs: hsm", ckr.PINLocked: "PINs: hsm"} {
		expectFound(t, checkPINs("hsm", []faultp11.Call{{Function: "C_Login", RV: rv}}), want)
	}
}

func TestCheckResources(t *testing.T) {
	usual := resources{server: usage{100 << 20, 10, 20}, workers: usage{50 << 20, 20, 30}, processes: 3, files: []string{"LOCK"}}
	for name, test := range map[string]struct {
		change func(*resources)
		want   string
	}{
		"as usual":          {func(*resources) {}, ""},
		"a little more":     {func(r *resources) { r.server.memory += 50 << 20; r.workers.threads += 3 }, ""},
		"memory":            {func(r *resources) { r.server.memory = 300 << 20 }, "the server"},
		"threads":           {func(r *resources) { r.workers.threads += moreThreads + 1 }, "the workers"},
		"descriptors":       {func(r *resources) { r.server.descriptors += moreDescriptors + 1 }, "the server"},
		"a worker too many": {func(r *resources) { r.processes++ }, "4 processes"},
		"a worker too few":  {func(r *resources) { r.processes-- }, "2 processes"},
		"a zombie":          {func(r *resources) { r.zombies++ }, "1 zombies"},
		"a file":            {func(r *resources) { r.files = []string{"LOCK", "left-over"} }, "left-over"},
		"unnamed log files": {func(r *resources) { r.exporting = 5 }, "have no name"},
	} {
		t.Run(name, func(t *testing.T) {
			now := usual
			test.change(&now)
			expectFound(t, checkResources(usual, now, 3), test.want)
		})
	}
}

// Of the files in a data directory, those that are made of the growing journal are no
// leftovers, and all others are.
func TestFilesIn(t *testing.T) {
	dir := t.TempDir()
	const trail, tmp = "trail/AWSLogs/111122223333/", "trail/.strongroom/tmp/"
	for _, name := range []string{
		"LOCK", "metadata.db", "metadata.db.new-1", "journal/00000000000000000001.journal",
		"index/00000000000000000001.index", "index/other", "trail/other", trail + "CloudTrail/a.json.gz", trail + "CloudTrail-Digest/a.json.gz.sig",
		trail + "CloudHSM/a.log.gz", trail + "other", trail + "public-keys.json", "trail/.strongroom/LOCK", "trail/.strongroom/state.json", "trail/.strongroom/other", tmp + "1.log", tmp + "other",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"LOCK", "index/other", "metadata.db", "metadata.db.new-1", "trail/.strongroom/other", tmp + "other", trail + "other", "trail/other"}
	if got, err := filesIn(dir); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// A process that has ended and was not waited for is seen.
func TestZombies(t *testing.T) {
	child := exec.Command("true")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for zombies(os.Getpid()) == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n := zombies(os.Getpid()); n != 1 {
		t.Errorf("%d zombies, want 1", n)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := zombies(os.Getpid()); n != 0 {
		t.Errorf("%d zombies, want none", n)
	}
}

func TestCheckSecrets(t *testing.T) {
	secret := []byte("\x00secret \"words\"\xff\xfe!!")
	for name, test := range map[string]struct{ text, want string }{
		"nothing":      {"nothing of it", ""},
		"as it is":     {"x" + string(secret) + "y", "a PIN stands in the log"},
		"in base64":    {base64.StdEncoding.EncodeToString(append([]byte("a"), secret...)), "a PIN stands in the log"},
		"half of it":   {string(secret[:8]), ""},
		"with commas":  {"0,115,101,99,114,101,116,32,34,119,111,114,100,115,34,255,254,33,33", "a PIN stands in the log"},
		"in uppercase": {"0073656372657420", ""},
	} {
		t.Run(name, func(t *testing.T) {
			expectFound(t, checkSecrets(map[string][]byte{"a PIN": secret}, map[string]string{"the log": test.text}), test.want)
		})
	}
}

func TestKeyPairsMatch(t *testing.T) {
	private, public := newPair(t)
	_, other := newPair(t)
	if err := matching(private, public); err != nil {
		t.Error(err)
	}
	if err := matching(private, other); err == nil {
		t.Error("a pair of two keys matches")
	}
}

func TestSignaturesAreVerified(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("message"))
	signature, err := ecdsa.SignASN1(rand.Reader, k, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(&k.PublicKey, []byte("message"), signature); err != nil {
		t.Error(err)
	}
	if err := verify(&k.PublicKey, []byte("another message"), signature); err == nil {
		t.Error("the signature is good for another message")
	}
}

func newPair(t *testing.T) (private, public []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if private, err = x509.MarshalPKCS8PrivateKey(k); err != nil {
		t.Fatal(err)
	}
	if public, err = x509.MarshalPKIXPublicKey(&k.PublicKey); err != nil {
		t.Fatal(err)
	}
	return private, public
}

// A seed gives the same faults each time, and another one others; no login hangs more
// often than twice in a row.
func TestScheduleIsOfTheSeed(t *testing.T) {
	o := options{Members: 2, FaultSteps: 1000, FaultsAtMost: 8}
	texts := func(seed uint64) (all []string) {
		rng := mathrand.New(mathrand.NewPCG(seed, 0))
		for range 5 {
			for _, f := range schedule(rng, o) {
				all = append(all, f.String())
			}
		}
		return all
	}
	if !slices.Equal(texts(1), texts(1)) || slices.Equal(texts(1), texts(2)) {
		t.Error("the faults are not the seed's")
	}
	for seed := range uint64(200) {
		hangs := map[int]int{}
		for _, f := range schedule(mathrand.New(mathrand.NewPCG(seed, 0)), o) {
			if f.kind == loginHangs {
				hangs[f.hsm]++
			}
		}
		for hsm, n := range hangs {
			if n > 1 {
				t.Errorf("seed %d: logins of HSM %d hang in %d faults of a round", seed, hsm, n)
			}
		}
	}
}
