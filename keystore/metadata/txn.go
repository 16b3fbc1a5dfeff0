package metadata

import "fmt"

// Limits of one Txn. They are below those that etcd has by default.
const (
	// MaxValueSize is the longest value, in bytes. A value may be empty.
	MaxValueSize = 512 << 10

	// MaxTxnSize bounds the keys and values of a Txn together, in bytes.
	MaxTxnSize = 1 << 20

	// MaxTxnKeys bounds its conditions, puts and deletes together.
	MaxTxnKeys = 100
)

// Txn is a set of changes that are made together, and only if every condition
// holds. It changes each key at most once; a condition need not be about a key
// that the Txn changes.
type Txn struct {
	Conditions []Condition
	Puts       []KeyValue
	// Deletes names entries to remove. One that does not exist is no error: a
	// condition can insist.
	Deletes []string
}

// Condition holds if the entry's revision is this one. Zero means that there must
// be no such entry.
type Condition struct {
	Key      string
	Revision uint64
}

// KeyValue is an entry to be written.
type KeyValue struct {
	Key   string
	Value []byte
}

// Check returns [ErrInvalid] if the Txn has a bad key, names a key twice where it
// may not, is over a limit, or has neither puts nor deletes. Every engine's Commit
// calls it first.
func (t Txn) Check() error {
	if len(t.Puts)+len(t.Deletes) == 0 {
		return fmt.Errorf("%w: the transaction has neither puts nor deletes", ErrInvalid)
	}
	if n := len(t.Conditions) + len(t.Puts) + len(t.Deletes); n > MaxTxnKeys {
		return fmt.Errorf("%w: the transaction has %d conditions, puts and deletes, more than %d",
			ErrInvalid, n, MaxTxnKeys)
	}
	if err := t.checkSizes(); err != nil {
		return err
	}
	if err := checkKeys("has two conditions on", t.conditioned()); err != nil {
		return err
	}
	return checkKeys("changes twice", t.changed())
}

func (t Txn) checkSizes() error {
	for _, p := range t.Puts {
		if len(p.Value) > MaxValueSize {
			return fmt.Errorf("%w: the value of %.64q is %d bytes long, more than %d",
				ErrInvalid, p.Key, len(p.Value), MaxValueSize)
		}
	}
	if total := t.size(); total > MaxTxnSize {
		return fmt.Errorf("%w: the transaction has %d bytes of keys and values, more than %d",
			ErrInvalid, total, MaxTxnSize)
	}
	return nil
}

// size is that of all keys and values, in bytes.
func (t Txn) size() int {
	total := 0
	for _, p := range t.Puts {
		total += len(p.Value)
	}
	for _, key := range append(t.conditioned(), t.changed()...) {
		total += len(key)
	}
	return total
}

func (t Txn) conditioned() []string {
	var keys []string
	for _, c := range t.Conditions {
		keys = append(keys, c.Key)
	}
	return keys
}

func (t Txn) changed() []string {
	var keys []string
	for _, p := range t.Puts {
		keys = append(keys, p.Key)
	}
	return append(keys, t.Deletes...)
}

func checkKeys(fault string, keys []string) error {
	seen := make(map[string]bool, len(keys))
	for _, key := range keys {
		if err := CheckKey(key); err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("%w: the transaction %s %q", ErrInvalid, fault, key)
		}
		seen[key] = true
	}
	return nil
}
