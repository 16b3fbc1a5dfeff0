package devserver

import (
	"fmt"
	"net"
)

// requireLoopback refuses an address that other machines could reach.
func requireLoopback(flag, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s %q is not of the form HOST:PORT", flag, address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s %s: a development server serves only on a loopback address, such as 127.0.0.1:7400; for others there is `strongroom serve`", flag, address)
	}
	return nil
}
