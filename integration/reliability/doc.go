// Package reliability has a test for every way in which HSMs are known to fail: the
// rows of docs/reliability.md.
//
// A row plays the fault for real: the built server, its workers, SoftHSM tokens and
// between them the library of faults (integration/faultp11), which every worker of a
// world has to itself. It finds out whether Strongroom keeps its promises meanwhile and
// after it: nothing acknowledged is lost, no request is answered after its deadline, no
// person restarts anything, and operators are told what happened and what to do.
//
// And it is played once more for each defence that the row names, with that one switched
// off (hsmpool/defence), where it must break the very promise that the defence keeps.
// So nothing here passes because the fault did not happen.
package reliability
