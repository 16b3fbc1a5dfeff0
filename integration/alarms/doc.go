// Package alarms tests what tells operators, from an HSM that fails to a webhook that is
// called: the built server, Debian's Prometheus and its Alertmanager, with the files of
// deploy/.
package alarms
