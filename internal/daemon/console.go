package daemon

import (
	"cmp"
	"crypto/tls"
	"net/http"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/internal/metricfilter"
	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/server/console"
)

// openConsole makes what signs people in to the console, if there is to be one: the key
// store makes links to it.
func (d *daemon) openConsole() (err error) {
	if d.config.Console.Enabled {
		d.access, err = console.NewAccess(d.consoleURL(), func(arn string) string { return d.keystore.PrincipalIdentity(arn) })
	}
	return err
}

// consoleURL is the console's address as browsers have it.
func (d *daemon) consoleURL() string { return cmp.Or(d.config.Console.URL, d.metricsURL()) }

// consoleLinks makes links to the console; nil: there is none.
func (d *daemon) consoleLinks() keystore.ConsoleLinks {
	if d.access == nil {
		return nil
	}
	return d.access
}

// withConsole adds the console to a handler, which keeps its paths. trusted is that of
// console.Config.
func (d *daemon) withConsole(metrics http.Handler, trusted func(*tls.ConnectionState) bool) (http.Handler, error) {
	if d.access == nil {
		return metrics, nil
	}
	pages, err := console.New(console.Config{
		Access: d.access, Operations: d.server, API: d.keystore.Describe(), Regions: d.keystore.Names(),
		Principals: d.keystore.PrincipalOf, Trusted: trusted, Health: d.keystore.Health, Calls: d.callsOf, Filters: d.filtersByName(),
		Logger: d.logger.Named("console"),
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		mux.Handle(path, metrics)
	}
	mux.Handle("/", pages)
	d.logger.Info("the console is served", "url", d.consoleURL())
	return mux, nil
}

// callsOf are the calls that an HSM's library was asked for.
func (d *daemon) callsOf(hsmID string) (all []console.Call) {
	for _, m := range d.keystore.Members() {
		if m.HSMID != hsmID {
			continue
		}
		for _, c := range m.Figures.Calls {
			all = append(all, console.Call{Function: c.Function, Mechanism: c.Mechanism, Result: ckr.RV(c.RV).String(), Count: c.Count})
		}
	}
	return all
}

// filtersByName are the metric filters, for those who look for what they count.
func (d *daemon) filtersByName() map[string]console.Filter {
	all := map[string]console.Filter{}
	for _, f := range d.metricFilters() {
		all[f.Name] = console.Filter{HSMLog: f.Trail == metricfilter.HSMLog, Condition: f.When}
	}
	return all
}
