package console

import (
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

// keyStoresPage is a list of custom key stores.
type keyStoresPage struct {
	Region  string
	Stores  []keyStore
	Next    string // where the list goes on; empty: it does not
	Failure *failure
}

// keyStore is a custom key store, and what there is to do about it.
type keyStore struct {
	*kmsv1.CustomKeyStoresListEntry

	// Advice is of a store that is not connected.
	Advice advice
}

// storesOfAPage is how many key stores a page has.
const storesOfAPage = 50

func keyStores(v *visit) view {
	request := &kmsv1.DescribeCustomKeyStoresRequest{Limit: new(int32(storesOfAPage))}
	if marker := v.query("marker"); marker != "" {
		request.Marker = &marker
	}
	found := load[kmsv1.DescribeCustomKeyStoresResponse](v, kmsv1.KeyManagementService_DescribeCustomKeyStores_FullMethodName, request)
	p := keyStoresPage{Region: v.region, Next: found.Value.GetNextMarker(), Failure: found.Failure}
	for _, s := range found.Value.GetCustomKeyStores() {
		p.Stores = append(p.Stores, keyStore{CustomKeyStoresListEntry: s, Advice: adviceOn(s)})
	}
	return view{File: "keystores.html", Title: "Key stores", Section: "/key-stores", Regional: true, Status: p.Failure.status(), Body: p}
}
