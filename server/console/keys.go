package console

import (
	"slices"
	"strings"

	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// How much is looked at for a page of keys. A search by state has to ask for each key.
const (
	keysOfAPage      = 20
	keysOfAChunk     = 100
	chunksByName     = 10
	chunksByState    = 3
	aliasesOfAChunk  = 100
	chunksOfAliases  = 10
	searchedAliases  = aliasesOfAChunk * chunksOfAliases
	maxSearch        = 2048 // characters
	keyStateUnwanted = ""
)

// keysPage is a list of keys.
type keysPage struct {
	// Search and State are what is searched for.
	Search, State string
	// States are all that there are.
	States []string
	Rows   []keyRow
	// Next is where the list goes on; empty: it does not.
	Next string
	// Looked is how many keys were looked at.
	Looked int
	// SomeAliases says that there are more aliases than were searched: so many.
	SomeAliases int
	Region      string
	// Failure is why there is no list, AliasFailure why it has no aliases.
	Failure, AliasFailure *failure
}

// keyRow is a key in a list.
type keyRow struct {
	ID       string
	Aliases  []string
	Metadata *kmsv1.KeyMetadata
	// Failure is why nothing is known but the id.
	Failure *failure
}

// State is the key's, as AWS spells it; empty if it is not known.
func (r keyRow) State() string {
	if r.Metadata == nil {
		return ""
	}
	return wire(r.Metadata.GetKeyState())
}

func keys(v *visit) view {
	l := &keyLister{visit: v, page: keysPage{
		Search: cutTo(strings.TrimSpace(v.query("q")), maxSearch), State: v.query("state"), States: keyStates(), Region: v.region,
	}}
	if !slices.Contains(l.page.States, l.page.State) {
		l.page.State = keyStateUnwanted
	}
	l.list(v.query("marker"))
	return view{File: "keys.html", Title: "Keys", Section: "/keys", Regional: true, Status: l.page.Failure.status(), Body: l.page}
}

// keyStates are the states of keys, as AWS spells them.
func keyStates() []string {
	var all []string
	values := kmsv1.KeyState(0).Descriptor().Values()
	for i := range values.Len() {
		if n := kmsv1.KeyState(values.Get(i).Number()); n != kmsv1.KeyState_KEY_STATE_UNSPECIFIED {
			all = append(all, wire(n))
		}
	}
	return all
}

func cutTo(text string, limit int) string {
	if r := []rune(text); len(r) > limit {
		return string(r[:limit])
	}
	return text
}

// keyLister makes a page of keys.
type keyLister struct {
	*visit
	page    keysPage
	aliases aliases
}

// list lists keys from a marker on: those of one page, or those that are found in what is
// looked at.
func (l *keyLister) list(marker string) {
	if l.one() {
		return
	}
	chunk, chunks := int32(keysOfAPage), 1
	switch {
	case l.page.State != keyStateUnwanted:
		chunk, chunks = keysOfAChunk, chunksByState
	case l.page.Search != "":
		chunk, chunks = keysOfAChunk, chunksByName
	}
	l.loadAliases()
	for range chunks {
		marker = l.look(chunk, marker)
		if marker == "" || len(l.page.Rows) >= keysOfAPage {
			break
		}
	}
	l.page.Next = marker
}

// one shows the key that the search names, if it names one exactly.
func (l *keyLister) one() bool {
	if l.page.Search == "" {
		return false
	}
	found := load[kmsv1.DescribeKeyResponse](l.visit, kmsv1.KeyManagementService_DescribeKey_FullMethodName, &kmsv1.DescribeKeyRequest{KeyId: &l.page.Search})
	if found.Failure != nil {
		return false
	}
	row := keyRow{ID: found.Value.GetKeyMetadata().GetKeyId(), Metadata: found.Value.GetKeyMetadata()}
	row.Aliases, l.page.AliasFailure = l.aliasesOf(row.ID)
	l.page.Looked = 1
	if l.page.State == keyStateUnwanted || row.State() == l.page.State {
		l.page.Rows = []keyRow{row}
	}
	return true
}

// look looks at the next keys, and returns where the list goes on.
func (l *keyLister) look(limit int32, marker string) (next string) {
	request := &kmsv1.ListKeysRequest{Limit: &limit}
	if marker != "" {
		request.Marker = &marker
	}
	listed := load[kmsv1.ListKeysResponse](l.visit, kmsv1.KeyManagementService_ListKeys_FullMethodName, request)
	if listed.Failure != nil {
		l.page.Failure = listed.Failure
		return ""
	}
	var rows []keyRow
	for _, k := range listed.Value.GetKeys() {
		l.page.Looked++
		if row := (keyRow{ID: k.GetKeyId(), Aliases: l.aliases.of[k.GetKeyId()]}); l.isWanted(row) {
			rows = append(rows, row)
		}
	}
	l.each(len(rows), func(i int) { l.complete(&rows[i]) })
	for _, row := range rows {
		if l.page.State == keyStateUnwanted || row.State() == l.page.State {
			l.page.Rows = append(l.page.Rows, row)
		}
	}
	return listed.Value.GetNextMarker()
}

// isWanted says whether a key's id or one of its aliases has what is searched for.
func (l *keyLister) isWanted(row keyRow) bool {
	search := strings.ToLower(l.page.Search)
	if strings.Contains(row.ID, search) {
		return true
	}
	return slices.ContainsFunc(row.Aliases, func(name string) bool { return strings.Contains(strings.ToLower(name), search) })
}

// complete adds what is known of a key beside its id.
func (l *keyLister) complete(row *keyRow) {
	found := load[kmsv1.DescribeKeyResponse](l.visit, kmsv1.KeyManagementService_DescribeKey_FullMethodName, &kmsv1.DescribeKeyRequest{KeyId: &row.ID})
	row.Metadata, row.Failure = found.Value.GetKeyMetadata(), found.Failure
	if l.aliases.some && l.page.AliasFailure == nil {
		row.Aliases, _ = l.aliasesOf(row.ID)
	}
}

// aliases are the names of keys, by the keys' ids.
type aliases struct {
	of map[string][]string
	// some says that there are more.
	some bool
}

// loadAliases lists aliases: of a search as many as are searched.
func (l *keyLister) loadAliases() {
	chunks := 1
	if l.page.Search != "" {
		chunks = chunksOfAliases
	}
	l.aliases.of = map[string][]string{}
	request := &kmsv1.ListAliasesRequest{Limit: new(int32(aliasesOfAChunk))}
	for range chunks {
		listed := load[kmsv1.ListAliasesResponse](l.visit, kmsv1.KeyManagementService_ListAliases_FullMethodName, request)
		if l.page.AliasFailure = listed.Failure; listed.Failure != nil {
			return
		}
		for _, a := range listed.Value.GetAliases() {
			l.aliases.of[a.GetTargetKeyId()] = append(l.aliases.of[a.GetTargetKeyId()], a.GetAliasName())
		}
		request.Marker, l.aliases.some = listed.Value.NextMarker, listed.Value.GetTruncated()
		if !l.aliases.some {
			return
		}
	}
	if l.page.Search != "" {
		l.page.SomeAliases = searchedAliases
	}
}

// aliasesOf are the names of one key.
func (v *visit) aliasesOf(id string) ([]string, *failure) {
	listed := load[kmsv1.ListAliasesResponse](v, kmsv1.KeyManagementService_ListAliases_FullMethodName, &kmsv1.ListAliasesRequest{KeyId: &id})
	var names []string
	for _, a := range listed.Value.GetAliases() {
		names = append(names, a.GetAliasName())
	}
	return names, listed.Failure
}
