package clients

import (
	"regexp"
	"strings"
	"testing"
)

// readingTrails points a client's process here for the services by which the trails are
// read, too.
func readingTrails() []string {
	var env []string
	for _, service := range []string{"CLOUDTRAIL", "CLOUDWATCH_LOGS", "CLOUDHSM_V2"} {
		env = append(env, "AWS_ENDPOINT_URL_"+service+"="+endpoint)
	}
	return env
}

// boto3 calls each operation by which the trails are read, and finds only what its
// models have.
func TestReadingTheTrails(t *testing.T) {
	t.Parallel()
	cmd := example(t, t.TempDir(), "python/trails.py", newKey(t))
	cmd.Env = append(cmd.Env, readingTrails()...)
	if got := mustRun(t, cmd); got != "11 operations\n" {
		t.Errorf("it prints %q", got)
	}
}

// What docs/clients.md shows finds the key that was made.
func TestReadingTheTrailsFromAShell(t *testing.T) {
	t.Parallel()
	newKey(t)
	got := mustRun(t, example(t, t.TempDir(), "sh/trails.sh"))
	for _, want := range []string{
		`(?m)^\S+\tadmin\tCreateKey\tarn:aws:kms:us-east-1:000000000000:key/`,
		`"IsLogging": true`,
		`(?m)^hsm-\w+`,
		`(?m)^Time: .*usecs:\d+\n(.*\n)+Opcode : CN_GENERATE_KEY \(0x17\)\n`,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("it prints\n%s\nwithout %s", got, want)
		}
	}
}

// The other commands, and how their errors read.
func TestCommandsThatReadTheTrails(t *testing.T) {
	t.Parallel()
	newKey(t)
	run := func(args ...string) (string, error) {
		cmd := command(t, t.TempDir(), "aws", args...)
		cmd.Env = append(cmd.Env, readingTrails()...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	group, err := run("logs", "describe-log-groups", "--query", "logGroups[0].logGroupName", "--output", "text")
	if group = strings.TrimSpace(group); err != nil || !strings.HasPrefix(group, "/aws/cloudhsm/cluster-") {
		t.Fatalf("the first group is %q, %v", group, err)
	}
	stream, err := run("logs", "describe-log-streams", "--log-group-name", group, "--order-by", "LastEventTime", "--descending", "--query", "logStreams[0].logStreamName", "--output", "text")
	if stream = strings.TrimSpace(stream); err != nil {
		t.Fatal(stream, err)
	}
	for _, test := range []struct{ args, want string }{
		{"logs get-log-events --log-group-name " + group + " --log-stream-name " + stream + " --limit 1", `"nextForwardToken": "f/`},
		{"logs filter-log-events --log-group-name " + group + " --max-items 1", `"eventId": "`},
		{"cloudtrail describe-trails", `"LogFileValidationEnabled": true`},
		{"cloudtrail get-trail --name strongroom", `"TrailARN": "arn:aws:cloudtrail:us-east-1:000000000000:trail/strongroom"`},
		{"cloudtrail list-trails", `"HomeRegion": "us-east-1"`},
		{"cloudtrail list-public-keys", `"PublicKeyList": [`},
		{"cloudtrail lookup-events --start-time 2020-01-01 --end-time 2020-01-02", `"Events": []`},
		{"cloudtrail lookup-events --event-category insight", `"Events": []`},
		{"cloudtrail get-trail --name another", "(TrailNotFoundException) when calling the GetTrail operation: Unknown trail: another"},
		{"logs get-log-events --log-group-name /aws/lambda/x --log-stream-name y", "(ResourceNotFoundException) when calling the GetLogEvents operation: The specified log group does not exist."},
		{"logs filter-log-events --log-group-name " + group + " --filter-pattern [a,b]", "(InvalidParameterException) when calling the FilterLogEvents operation: Invalid filter pattern: patterns for columns are not supported."},
		{"cloudhsmv2 describe-clusters --max-results 26", "(CloudHsmInvalidRequestException) when calling the DescribeClusters operation: 1 validation error detected"},
		{"cloudhsmv2 describe-backups", "(UnknownOperationException) when calling the DescribeBackups operation"},
	} {
		if out, _ := run(strings.Fields(test.args)...); !strings.Contains(out, test.want) {
			t.Errorf("aws %s:\n%s\nwant %s", test.args, out, test.want)
		}
	}
}
