package keystore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	"github.com/strongroom-kms/strongroom/proto/jsonenc"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// binding is what ties the metadata of a Region to a journal.
type binding struct {
	journal  string // the id of the journal; empty: none yet
	revision uint64 // of the record that says so; 0: none
	keys     int    // how many keys the Region has
}

// bind ties the metadata to the journal that its events are in. A journal that
// was lost or replaced, metadata that was lost, and an account or Region that
// was changed in the configuration would otherwise look like a first start. No
// Region's metadata is changed before all of them have been compared.
func (r *Regions) bind(ctx context.Context, journal string, accept bool) error {
	found, err := r.bindings(ctx)
	if err != nil {
		return err
	}
	if err := r.noneLeftOut(found); err != nil {
		return err
	}
	tied := false // whether there is metadata of this account for the journal
	for _, b := range found {
		tied = tied || b.journal == journal
	}
	for _, k := range r.stores {
		if err := k.compare(ctx, found[k.scope.region], tied, journal, accept); err != nil {
			return err
		}
	}
	for _, k := range r.stores {
		if err := k.tie(ctx, found[k.scope.region], journal); err != nil {
			return err
		}
	}
	return nil
}

// bindings returns those of all Regions that the metadata has of the account,
// listed or not.
func (r *Regions) bindings(ctx context.Context) (map[string]binding, error) {
	entries, _, err := r.Default().store.Range(ctx, r.prefix())
	if err != nil {
		return nil, fmt.Errorf("reading the metadata: %w", err)
	}
	found := map[string]binding{}
	for _, e := range entries {
		of := scopeOf(e.Key)
		b := found[of.region]
		switch {
		case IsKey(e):
			b.keys++
		case e.Key == of.servicePath():
			if b.journal, err = journalOf(e); err != nil {
				return nil, err
			}
			b.revision = e.Revision
		default:
			continue
		}
		found[of.region] = b
	}
	return found, nil
}

func journalOf(e metadata.Entry) (string, error) {
	record := new(storagev1.ServiceRecord)
	if err := decodeValue(e.Value, record); err != nil {
		return "", fmt.Errorf("reading %s: %w", e.Key, err)
	}
	return record.GetJournalId(), nil
}

// noneLeftOut refuses to serve without a Region that has keys: they could not be
// used, and those that are to be deleted would stay.
func (r *Regions) noneLeftOut(found map[string]binding) error {
	for _, region := range slices.Sorted(maps.Keys(found)) {
		if _, listed := r.Region(region); !listed && found[region].keys > 0 {
			return fmt.Errorf("account %s has keys (%d) in Region %s, which the configuration does not list: "+
				"list it again under regions; it can be removed when its keys have been deleted", r.account(), found[region].keys, region)
		}
	}
	return nil
}

// compare says whether a Region's metadata may be tied to the journal. A Region
// without keys may be added while there is metadata of the account for it.
func (k *Keystore) compare(ctx context.Context, was binding, tied bool, journal string, accept bool) error {
	if was.journal == journal || tied && was.keys == 0 {
		return k.compareRevisions(ctx, journal, accept)
	}
	return k.mayBind(ctx, was.journal, journal, accept)
}

// tie writes down which journal a Region's metadata belongs to.
func (k *Keystore) tie(ctx context.Context, was binding, journal string) error {
	if was.journal == journal {
		return nil
	}
	_, err := replaceValue(ctx, k.store, k.scope.servicePath(), &storagev1.ServiceRecord{JournalId: &journal}, was.revision)
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
