package console

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/integration/console/browser"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	"github.com/strongroom-kms/strongroom/integration/harness"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// userPINLocked is CKF_USER_PIN_LOCKED.
const userPINLocked = 0x00040000

// awaitAlarm waits until an alarm is in a state. It is evaluated every ten seconds.
func awaitAlarm(page *browser.Page, name, state string) {
	page.Await(fmt.Sprintf("document.querySelector('[data-alarm=%q]').dataset.state === %q", name, state))
}

// The user of an HSM is locked: the overview says so at once, the HSM's page why and what to
// do; when that was done, the alarm is over.
func TestPINLocked(t *testing.T) {
	t.Parallel()
	members, faults := faulty(t)
	s := newSystem(t, harness.Options{Members: members}, "").start(t)
	page := s.signIn(t, harness.Admin, browser.Desktop)
	page.AwaitText("#live", "^Live$")
	stay(page)
	if err := faults[1].Set(faultp11.PINFlags(userPINLocked)); err != nil {
		t.Fatal(err)
	}
	s.killWorkers(t)
	page.AwaitText("[data-live=hsms-ready]", "^1 of 2$")
	page.AwaitText("[data-alarm=HSMStopped]", "critical[^]*not tried again before somebody has acted")
	page.AwaitText("[data-alarm=HSMPINLocked]", "critical")
	page.AwaitText("#hsm-table tr[data-hsm="+hsmB+"]", "STOPPED")
	requireStayed(t, page)
	picture(t, page, "pin-locked-overview", browser.Desktop, 960)

	page.FollowLink("#hsm-table", hsmB)
	page.AwaitText("h1", hsmB)
	page.AwaitText("#hsm .notice", "PIN is locked[^]*What to do:[^]*strongroom hsm unlock-check")
	requireUsable(t, page)
	picture(t, page, "pin-locked-hsm", browser.Desktop, 900)

	visit(page, "Alarms")
	awaitAlarm(page, "HSMPINLocked", "FIRING")
	page.AwaitText("[data-alarm=HSMPINLocked]", "What to do:[^]*unlock the user[^]*"+hsmB)
	stay(page)
	if err := faults[1].Clear(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.run(t, harness.Admin, "hsm", "unlock-check"); err != nil {
		t.Fatal(err)
	}
	awaitAlarm(page, "HSMPINLocked", "OK")
	awaitAlarm(page, "HSMStopped", "OK")
	requireStayed(t, page)
}

// An HSM hangs: the other one serves, and the page says what the library is at.
func TestMemberFrozen(t *testing.T) {
	t.Parallel()
	members, faults := faulty(t)
	s := newSystem(t, harness.Options{Members: members, HangTimeout: time.Second}, "").start(t)
	key := s.newKey(t, "alias/payroll", new(kmsv1.CreateKeyRequest))
	page := s.signIn(t, harness.Admin, browser.Desktop)
	page.AwaitText("#live", "^Live$")
	if err := faults[1].Set(faultp11.Hang(faultp11.All)); err != nil {
		t.Fatal(err)
	}
	page.AwaitText("[data-live=hsms-ready]", "^1 of 2$")
	page.AwaitText("#hsm-table tr[data-hsm="+hsmB+"]", "(STARTING|SUSPENDED)[^]*the worker hung")
	s.awaitAlarmPending(t, "HSMUnhealthy")
	page.Reload()
	page.AwaitText("[data-alarm=HSMUnhealthy]", "pending")
	picture(t, page, "member-frozen-overview", browser.Desktop, 1060)
	s.encrypt(t, key)

	page.FollowLink("#hsm-table", hsmB)
	page.AwaitText("#hsm .notice", "the worker hung[^]*What to do:")
	picture(t, page, "member-frozen-hsm", browser.Desktop, 900)

	if err := faults[1].Clear(); err != nil {
		t.Fatal(err)
	}
	page.AwaitText("#hsm .state", "^READY$")
}

// awaitAlarmPending asks until an alarm is pending. A page looks again when alarms begin or
// cease to fire, and else each minute.
func (s *system) awaitAlarmPending(t *testing.T, name string) {
	t.Helper()
	askUntil(t, func(ctx context.Context) bool {
		answer := need[*operatorv1.DescribeAlarmsResponse](t)(s.client.Operator.DescribeAlarms(ctx, new(operatorv1.DescribeAlarmsRequest)))
		return slices.ContainsFunc(answer.GetAlarms(), func(a *operatorv1.AlarmDescription) bool {
			return a.GetName() == name && a.GetState() == operatorv1.AlarmState_ALARM_STATE_PENDING
		})
	})
}

// The disk of the journal is full: nothing is answered, and each page says why and what to
// do, also one that was open before.
func TestJournalDiskFull(t *testing.T) {
	t.Parallel()
	s := newSystem(t, harness.Options{}, "")
	fill, free := smallDisk(t, filepath.Join(s.DataDir, "journal"))
	s.start(t)
	key := s.newKey(t, "alias/payroll", new(kmsv1.CreateKeyRequest))
	page := s.signIn(t, harness.Admin, browser.Desktop)
	page.AwaitText("#live", "^Live$")
	page.Expect("answer 5|status of 5|net::ERR_|ERR_INCOMPLETE")
	fill()
	s.encryptUntilRefused(t, key)
	const why = "no space left on device"
	page.AwaitText("#trouble", why+"[^]*make room on the disk")
	page.Go("/")
	page.AwaitText("#trouble", why)
	picture(t, page, "journal-full-overview", browser.Desktop, 760)
	requireUsable(t, page)
	if _, err := s.server.Stderr.Await(within(t, patience), s.server.Exited(), "alarm=JournalUnavailable"); err != nil {
		t.Errorf("the alarm is not in the log: %v", err)
	}
	visitor := chromium.Open(t, s.origin, browser.Desktop)
	visitor.Expect(refused)
	visitor.Go("/")
	visitor.AwaitText("[role=alert]", "journal cannot be written")

	free()
	page.Await("!document.querySelector('#trouble .notice')")
	page.Go("/")
	page.AwaitText("[data-live=health]", "^Ready$")
}

// A key will soon be gone: the alarm leads to it, and its page says when and what to do.
func TestKeyNearDeletion(t *testing.T) {
	t.Parallel()
	s := newSystem(t, harness.Options{}, "").start(t)
	key := s.newKey(t, "alias/archive-2019", &kmsv1.CreateKeyRequest{Description: new("Archive of 2019")})
	used := s.encrypt(t, key)
	need[*kmsv1.ScheduleKeyDeletionResponse](t)(s.client.KMS.ScheduleKeyDeletion(t.Context(),
		&kmsv1.ScheduleKeyDeletionRequest{KeyId: &key, PendingWindowInDays: new(int32(7))}))
	stop(t, s.server)
	s.bringDeletionForward(t, key, 20*time.Hour)
	s.start(t)

	page := s.signIn(t, harness.Admin, browser.Desktop)
	page.AwaitText("[data-alarm=KeyDeletedSoon]", "destroyed within a day")
	picture(t, page, "key-deletion-overview", browser.Desktop, 660)
	page.Go("/keys?state=PendingDeletion")
	page.AwaitText(fmt.Sprintf("tr[data-key=%q]", keyID(key)), "alias/archive-2019")
	page.Follow(fmt.Sprintf("tr[data-key=%q] a", keyID(key)))
	page.AwaitText(".notice", "will be deleted[^]*in (19|20) hours[^]*What to do:[^]*strongroom key cancel-deletion "+keyID(key))
	page.AwaitText("#last-use", used)
	page.AwaitText("#events tr[data-event=ScheduleKeyDeletion]", "user/alice")
	requireUsable(t, page)
	picture(t, page, "key-deletion-key", browser.Desktop, 760)

	if _, err := s.run(t, harness.Admin, "key", "cancel-deletion", keyID(key)); err != nil {
		t.Fatal(err)
	}
	page.Reload()
	page.AwaitText("#key .state", "^Disabled$")
	visit(page, "Alarms")
	awaitAlarm(page, "KeyDeletedSoon", "OK")
}

// Somebody's logins fail: the alarm of the metric filter, the entries of the HSM's log, and
// the key store whose password is wrong.
func TestFailedLogins(t *testing.T) {
	t.Parallel()
	s := newSystem(t, harness.Options{Clusters: []harness.Cluster{{ID: clusterID}}}, "").start(t)
	store := s.connectStore(t)
	s.changePassword(t, store, "not the password")
	need[*kmsv1.ConnectCustomKeyStoreResponse](t)(s.client.KMS.ConnectCustomKeyStore(t.Context(),
		&kmsv1.ConnectCustomKeyStoreRequest{CustomKeyStoreId: &store}))
	s.awaitStore(t, store, kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_FAILED)

	page := s.signIn(t, harness.Admin, browser.Desktop)
	page.AwaitText("[data-alarm=MetricFilterMatched]", "matched a metric filter")
	visit(page, "Alarms")
	awaitAlarm(page, "MetricFilterMatched", "FIRING")
	page.AwaitText("[data-alarm=MetricFilterMatched]", "login")
	requireUsable(t, page)
	picture(t, page, "failed-logins-alarm", browser.Desktop, 640)

	page.FollowLink("[data-alarm=MetricFilterMatched]", "Show what matched")
	page.AwaitText("h1", "^HSM log$")
	page.AwaitText("tr[data-opcode=CN_LOGIN]", "CKR_PIN_INCORRECT")
	picture(t, page, "failed-logins-log", browser.Desktop, 480)

	visit(page, "Key stores")
	page.AwaitText(fmt.Sprintf("[data-store=%q]", store), "FAILED[^]*INVALID_CREDENTIALS[^]*What to do:[^]*strongroom key-store update --password-file")
	requireUsable(t, page)
	picture(t, page, "failed-logins-store", browser.Desktop, 480)
}

// changePassword disconnects a key store and tells it another password.
func (s *system) changePassword(t *testing.T, store, password string) {
	t.Helper()
	need[*kmsv1.DisconnectCustomKeyStoreResponse](t)(s.client.KMS.DisconnectCustomKeyStore(t.Context(),
		&kmsv1.DisconnectCustomKeyStoreRequest{CustomKeyStoreId: &store}))
	s.awaitStore(t, store, kmsv1.ConnectionStateType_CONNECTION_STATE_TYPE_DISCONNECTED)
	need[*kmsv1.UpdateCustomKeyStoreResponse](t)(s.client.KMS.UpdateCustomKeyStore(t.Context(),
		&kmsv1.UpdateCustomKeyStoreRequest{CustomKeyStoreId: &store, KeyStorePassword: &password}))
}
