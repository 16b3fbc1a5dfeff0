// Package chaos tests a server under load while everything below it fails.
//
// A run is a server, one to three HSMs that hold the same keys, one more of a custom
// key store, and some clients. Each HSM has a library of faults of its own
// (integration/faultp11). Each client makes requests one after the other, of keys that
// nobody else changes, so that it knows how each has to end. A run alternates between
// times of faults and times of calm: calls that hang, fail or kill the process, lost
// sessions and logins, an absent token, workers and servers that are killed or stopped.
// While they last a request may be answered that an HSM is away, and nothing else that
// is not so. When they are over, all must be well again within a bound, by itself; in
// the calm every request must end as it should.
//
// Then it is compared what everybody says: the clients, the metadata, both audit trails,
// the libraries' own logs of calls, and the system (processes, threads, descriptors,
// memory, files). Every ciphertext that was ever answered must decrypt to what was
// encrypted, and no answer may lack its event, nor an event its request.
//
// # Seeds
//
// The seed says what each client does and which faults happen, to whom, when and for
// how long. Their times are counts of steps of all clients together, not of the clock.
// So a seed gives the same faults and the same load, but not the same run: which
// requests are in flight when a fault begins is up to the machine, and what clients have
// to choose from (keys, ciphertexts) depends on what succeeded. A fault that is found
// is seen again with some tries, commonly the first.
//
// A run that fails keeps its directory, with the data directory, the tokens, the log of
// each server and that of each library.
package chaos
