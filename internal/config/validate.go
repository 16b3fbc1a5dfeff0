package config

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/keystore"
	"github.com/strongroom-kms/strongroom/keystore/policy"
)

var (
	accountPattern = regexp.MustCompile(`^\d{12}$`)
	regionPattern  = regexp.MustCompile(`^([a-z]+-){2,3}\d+$`)
	arnPattern     = regexp.MustCompile(`^arn:aws:iam::\d{12}:(user|role)/[\w+=,.@/-]{1,512}$`)
	policyPattern  = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)
)

// Validate checks every field by itself and against the others, without a look
// at any file. The error is an Errors with all that is wrong.
func (c *Config) Validate() error {
	v := &validation{config: c}
	v.matches("account", c.Account, accountPattern, "12 digits")
	v.regions(c.Region, c.Regions)
	v.absolute("data_dir", c.DataDir)
	v.listen("listen", c.Listen)
	v.aws(c.AWS)
	v.absolute("tls.cert", c.TLS.Cert)
	v.absolute("tls.key", c.TLS.Key)
	v.absolute("tls.client_ca", c.TLS.ClientCA)
	v.policyFiles(c.Policies)
	v.principals(c.Principals)
	v.hsms(&c.HSM, c.Clusters)
	v.limits(&c.Limits)
	v.audit(&c.Audit)
	v.metrics(c.Metrics)
	v.metricFilters(c.MetricFilters)
	v.console(c.Console, c.Metrics)
	v.openTelemetry(&c.OpenTelemetry)
	v.oneOf("log.level", c.Log.Level, "trace", "debug", "info", "warn", "error")
	if len(v.errs) > 0 {
		return v.errs
	}
	return nil
}

// validation gathers faults.
type validation struct {
	config *Config
	errs   Errors
}

func (v *validation) fault(field, format string, args ...any) {
	v.errs = append(v.errs, FieldError{
		File:   v.config.file,
		Line:   v.config.lines.of(field),
		Field:  field,
		Reason: fmt.Sprintf(format, args...),
	})
}

func (v *validation) present(field, value string) bool {
	if value == "" {
		v.fault(field, "is missing")
	}
	return value != ""
}

func (v *validation) matches(field, value string, pattern *regexp.Regexp, want string) {
	if v.present(field, value) && !pattern.MatchString(value) {
		v.fault(field, "%q is not %s", value, want)
	}
}

func (v *validation) absolute(field, path string) {
	if v.present(field, path) && !filepath.IsAbs(path) {
		v.fault(field, "%q is not an absolute path", path)
	}
}

func (v *validation) oneOf(field, value string, allowed ...string) {
	if v.present(field, value) && !slices.Contains(allowed, value) {
		v.fault(field, "%q is not one of %s", value, strings.Join(allowed, ", "))
	}
}

func (v *validation) atMost(field, value string, limit int) {
	if len(value) > limit {
		v.fault(field, "has %d bytes, more than %d", len(value), limit)
	}
}

func (v *validation) between(field string, value, low, high int) {
	if value < low || value > high {
		v.fault(field, "%d is not between %d and %d", value, low, high)
	}
}

func (v *validation) during(field string, value, low, high time.Duration) {
	if value < low || value > high {
		v.fault(field, "%v is not between %v and %v", value, low, high)
	}
}

// exactlyOne checks that one of the named fields of a structure is set.
func (v *validation) exactlyOne(field string, set map[string]bool) {
	var names, found []string
	for name, is := range set {
		names = append(names, name)
		if is {
			found = append(found, name)
		}
	}
	slices.Sort(names)
	if len(found) != 1 {
		v.fault(field, "needs exactly one of %s, has %d", strings.Join(names, ", "), len(found))
	}
}

func (v *validation) listen(field, address string) {
	if !v.present(field, address) {
		return
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		v.fault(field, `%q is not of the form "host:port"`, address)
	}
}

// aws checks the endpoint for AWS clients. Without TLS their plaintexts and keys
// would be for all to see.
func (v *validation) aws(c AWS) {
	if c == (AWS{}) {
		return
	}
	v.listen("aws.listen", c.Listen)
	host, _, _ := net.SplitHostPort(c.Listen)
	if c.Plaintext && !isLoopback(host) {
		v.fault("aws.plaintext", "is for a loopback address such as 127.0.0.1:7401 only, and not for %q", c.Listen)
	}
}

// Limits of Regions. A longer name is not one of AWS's, and each Region takes a
// few goroutines and a watch of the metadata.
const (
	maxRegionName = 32
	maxRegions    = 64
)

func (v *validation) regions(one string, several []string) {
	switch {
	case one == "" && len(several) == 0:
		v.fault("region", "is missing, and so is regions")
	case one != "" && len(several) > 0:
		v.fault("regions", "stands beside region; only one of the two can be given")
	case one != "":
		v.region("region", one)
	}
	if len(several) > maxRegions {
		v.fault("regions", "has %d Regions, more than %d", len(several), maxRegions)
	}
	seen := map[string]string{}
	for i, name := range several {
		item := fmt.Sprintf("regions[%d]", i)
		v.region(item, name)
		v.unique(seen, item, name)
	}
}

func (v *validation) region(field, name string) {
	v.matches(field, name, regionPattern, `a Region such as "eu-central-1"`)
	v.atMost(field, name, maxRegionName)
}

func (v *validation) limits(l *Limits) {
	v.during("limits.max_deadline", l.MaxDeadline, time.Millisecond, 5*time.Minute)
	v.during("limits.default_deadline", l.DefaultDeadline, time.Millisecond, l.MaxDeadline)
	v.between("limits.max_in_flight", l.MaxInFlight, 1, 65536)
	v.between("limits.max_connections", l.MaxConnections, 1, 65536)
	v.during("limits.drain_timeout", l.DrainTimeout, time.Second, 10*time.Minute)
}

func (v *validation) principals(all []Principal) {
	if len(all) == 0 {
		v.fault("principals", "is missing: nobody could call the service")
	}
	arns, names := map[string]string{}, map[string]string{}
	for i, p := range all {
		field := fmt.Sprintf("principals[%d]", i)
		v.matches(field+".arn", p.ARN, arnPattern, "the ARN of an IAM user or role")
		v.unique(arns, field+".arn", p.ARN)
		v.names(field+".names", p.Names, names)
		v.policies(field+".policies", p.Policies)
	}
}

func (v *validation) names(field string, all []string, seen map[string]string) {
	if len(all) == 0 {
		v.fault(field, "is missing: no certificate could belong to this principal")
	}
	for i, name := range all {
		item := fmt.Sprintf("%s[%d]", field, i)
		if err := keystore.CheckCertificateName(name); err != nil {
			v.fault(item, "%v", err)
		}
		v.unique(seen, item, name)
	}
}

func (v *validation) policies(field string, all []string) {
	if len(all) == 0 {
		v.fault(field, "is missing: this principal could do nothing")
	}
	seen := map[string]string{}
	for i, name := range all {
		item := fmt.Sprintf("%s[%d]", field, i)
		v.oneOf(item, name, v.policyNames()...)
		v.unique(seen, item, name)
	}
}

// policyFiles checks the names and paths of policies; what is in the files is
// looked at when they are read.
func (v *validation) policyFiles(files map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		field := "policies." + name
		if !policyPattern.MatchString(name) {
			v.fault(field, "a name of a policy has 1 to 128 of A-Z a-z 0-9 _+=,.@-")
		}
		if slices.Contains(policy.Builtins(), name) {
			v.fault(field, "is the name of a built-in policy")
		}
		v.absolute(field, files[name])
	}
}

// policyNames are the names of all policies, sorted.
func (v *validation) policyNames() []string {
	names := append(policy.Builtins(), slices.Collect(maps.Keys(v.config.Policies))...)
	slices.Sort(names)
	return names
}

// unique checks that no earlier field has the same value.
func (v *validation) unique(seen map[string]string, field, value string) {
	if first, ok := seen[value]; ok && value != "" {
		v.fault(field, "%q stands at %s already", value, first)
		return
	}
	seen[value] = field
}

func (v *validation) optional(field, value string, pattern *regexp.Regexp, want string) {
	if value != "" {
		v.matches(field, value, pattern, want)
	}
}
