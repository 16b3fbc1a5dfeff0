package keystore

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/proto/jsonenc"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// bind ties the metadata to the journal that its events are in. A journal that
// was lost or replaced, metadata that was lost, and an account or Region that
// was changed in the configuration would otherwise look like a first start.
func (k *Keystore) bind(ctx context.Context, journal string, accept bool) error {
	record := new(storagev1.ServiceRecord)
	revision, err := readValue(ctx, k.store, k.scope.servicePath(), record)
	if err != nil {
		return err
	}
	former := record.GetJournalId()
	if former == journal {
		return k.compareRevisions(ctx, journal, accept)
	}
	if err := k.mayBind(ctx, former, journal, accept); err != nil {
		return err
	}
	_, err = replaceValue(ctx, k.store, k.scope.servicePath(), &storagev1.ServiceRecord{JournalId: &journal}, revision)
	return err
}

// mayBind says whether the metadata may be tied to a journal that it does not
// know. When the operator has accepted a new one, an event in it says so.
func (k *Keystore) mayBind(ctx context.Context, former, journal string, accept bool) error {
	const wayOut = "check account, Region and data directory in the configuration, restore what was lost with strongroom restore, or, if it is lost for good, accept this journal with --accept-new-journal"
	if former != "" && !accept {
		return fmt.Errorf("the key metadata belongs to the audit journal %s, and this is %s: the journal was lost or replaced; %s", former, journal, wayOut)
	}
	if former == "" {
		used, err := k.hasEvents(ctx)
		if err != nil || !used {
			return err
		}
		if !accept {
			return fmt.Errorf("the audit journal %s has events, but there is no metadata for account %s in Region %s: metadata.db was lost, or account or Region were changed in the configuration; %s",
				journal, k.scope.account, k.scope.region, wayOut)
		}
	}
	k.log.Warn("the key metadata is tied to another audit journal from now on", "former", former, "journal", journal)
	return k.trail.RecordEvent(ctx, k.journalAccepted(former, journal))
}

// compareRevisions finds metadata that has lost changes which were answered: an
// older copy of the file, or damage that its engine takes for a crash.
func (k *Keystore) compareRevisions(ctx context.Context, journal string, accept bool) error {
	is, was := k.view.at(), k.trail.MetadataRevision()
	if is >= was {
		return nil
	}
	if !accept {
		return fmt.Errorf("the key metadata is at revision %d, and the audit journal tells of changes up to revision %d: metadata.db is an older copy or damaged; "+
			"restore it from the newest backup with strongroom restore --metadata-only, which lists the changes that are missing, or, if they are lost for good, accept that with --accept-new-journal", is, was)
	}
	k.log.Warn("the key metadata has lost changes, and an operator has accepted that", "revision", is, "journal_revision", was)
	return k.trail.RecordEvent(ctx, k.journalAccepted(journal, journal))
}

// journalAccepted is the event that a journal begins or goes on with.
func (k *Keystore) journalAccepted(former, journal string) *audit.APIEvent {
	details := jsonenc.AppendString([]byte(`{"formerJournal":`), former)
	details = jsonenc.AppendString(append(details, `,"journal":`...), journal)
	e := k.internalEvent("AcceptNewJournal")
	e.RequestID = uuid.NewString()
	e.ServiceEventDetails = append(details, '}')
	e.MetadataRevision, e.MetadataAccepted = k.view.at(), true
	return e
}

// internalEvent is what all events have that nobody asked for.
func (k *Keystore) internalEvent(name string) *audit.APIEvent {
	return &audit.APIEvent{
		EventTime:          time.Now(),
		UserIdentity:       audit.UserIdentity{AccountID: k.scope.account, InvokedBy: "AWS Internal"},
		EventSource:        "kms.amazonaws.com",
		EventName:          name,
		AWSRegion:          k.scope.region,
		SourceIPAddress:    "AWS Internal",
		UserAgent:          "AWS Internal",
		EventID:            uuid.NewString(),
		EventType:          audit.EventTypeService,
		RecipientAccountID: k.scope.account,
	}
}

// hasEvents says whether the journal has any API event.
func (k *Keystore) hasEvents(ctx context.Context) (bool, error) {
	for _, err := range k.trail.Events(ctx, audit.Query{Last: 1}) {
		if err != nil {
			return false, fmt.Errorf("reading the audit journal: %w", err)
		}
		return true, nil
	}
	return false, nil
}
