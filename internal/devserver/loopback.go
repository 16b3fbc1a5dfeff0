package devserver

import (
	"fmt"
	"net"
)

// requireLoopback refuses an address that other machines could reach.
func requireLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--listen %q is not of the form HOST:PORT", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--listen %s: a development server serves only on a loopback address, such as 127.0.0.1:7400; for others there is `strongroom serve`", address)
	}
	return nil
}
