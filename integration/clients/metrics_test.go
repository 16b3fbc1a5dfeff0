package clients

import (
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
)

const forMetrics = "AWS_ENDPOINT_URL_CLOUDWATCH"

// readingMetrics points a client's process here for CloudWatch, too.
func readingMetrics(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, forMetrics+"="+endpoint)
	return cmd
}

// boto3 sees keys being made, by CBOR and by JSON.
func TestReadingMetrics(t *testing.T) {
	t.Parallel()
	if got := mustRun(t, readingMetrics(example(t, t.TempDir(), "python/metrics.py"))); got != "read in both protocols\n" {
		t.Errorf("it prints %q", got)
	}
}

// What docs/clients.md shows answers values.
func TestReadingMetricsFromAShell(t *testing.T) {
	t.Parallel()
	newKey(t)
	awaitMetric(t, func(value float64) bool { return value > 0 })
	got := mustRun(t, example(t, t.TempDir(), "sh/metrics.sh"))
	for _, want := range []string{
		`(?m)^(cluster-\w+\t)?hsm-\w+`,
		`(?m)^\S+\t[1-9]\d*(\.0)?\tCount$`,
		`(?m)^Requests\tComplete\t\d+(\.0)?$`,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("it prints\n%s\nwithout %s", got, want)
		}
	}
}

// How errors read, and that those of the protocol of old clients can be read, too.
func TestCommandsThatReadMetrics(t *testing.T) {
	t.Parallel()
	newKey(t)
	awaitMetric(t, func(value float64) bool { return value > 0 })
	const asked = " --namespace AWS/CloudHSM --metric-name HsmUnhealthy --statistics Sum"
	for _, test := range []struct{ args, want string }{
		{"list-metrics --namespace AWS/CloudHSM --metric-name HsmUnhealthy", `"MetricName": "HsmUnhealthy"`},
		{"list-metrics --namespace AWS/EC2", `"Metrics": []`},
		{"get-metric-statistics --start-time 2026-01-01T00:00:00Z --end-time 2026-01-01T01:00:00Z --period 60" + asked, `"Datapoints": []`},
		{"get-metric-statistics --start-time 2026-01-01T00:00:00Z --end-time 2026-01-03T00:00:00Z --period 60" + asked,
			"(InvalidParameterCombination) when calling the GetMetricStatistics operation: You have requested up to 2880 datapoints, which exceeds the limit of 1440."},
		{"get-metric-statistics --start-time 2026-01-02T00:00:00Z --end-time 2026-01-01T00:00:00Z --period 60" + asked,
			"(InvalidParameterValue) when calling the GetMetricStatistics operation: The parameter StartTime must be less than the parameter EndTime."},
		{"list-metrics --no-sign-request", "(MissingAuthenticationToken) when calling the ListMetrics operation: Missing Authentication Token"},
	} {
		cmd := readingMetrics(command(t, t.TempDir(), "aws", append([]string{"cloudwatch"}, strings.Fields(test.args)...)...))
		if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), test.want) {
			t.Errorf("aws cloudwatch %s:\n%s\nwant %s", test.args, out, test.want)
		}
	}
}

// The SDK for Go sees keys being made.
func TestReadingMetricsInGo(t *testing.T) {
	inProcess(t)
	t.Setenv(forMetrics, endpoint)
	newKey(t)
	before := awaitMetric(t, func(value float64) bool { return value > 0 })
	for range 2 {
		newKey(t)
	}
	awaitMetric(t, func(value float64) bool { return value >= before+2 })
	_, err := metricsClient(t).GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now()), NextToken: aws.String("x"),
		MetricDataQueries: []types.MetricDataQuery{tokenKeys(nil)},
	})
	if wrong := new(types.InvalidNextToken); !errors.As(err, &wrong) {
		t.Errorf("a token of nowhere: %v", err)
	}
	_, err = metricsClient(t).ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String("")})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "ValidationError" || e.ErrorFault() != smithy.FaultClient {
		t.Errorf("a namespace without a name: %v", err)
	}
}

func metricsClient(t *testing.T) *cloudwatch.Client {
	t.Helper()
	settings, err := config.LoadDefaultConfig(t.Context(),
		config.WithRegion("us-east-1"), config.WithBaseEndpoint(endpoint), config.WithCredentialsProvider(newClient().Options().Credentials))
	if err != nil {
		t.Fatal(err)
	}
	return cloudwatch.NewFromConfig(settings)
}

// tokenKeys asks for the most keys that an HSM, or a cluster, has had in a minute.
func tokenKeys(dimensions []types.Dimension) types.MetricDataQuery {
	return types.MetricDataQuery{Id: aws.String("keys"), MetricStat: &types.MetricStat{
		Metric: &types.Metric{Namespace: aws.String("AWS/CloudHSM"), MetricName: aws.String("HsmKeysTokenOccupied"), Dimensions: dimensions},
		Period: aws.Int32(60), Stat: aws.String("Maximum"),
	}}
}

// awaitMetric waits until the most keys of any HSM in the newest minute are as they must
// be, and returns them.
func awaitMetric(t *testing.T, good func(float64) bool) float64 {
	t.Helper()
	client, deadline := metricsClient(t), time.Now().Add(time.Minute)
	for {
		most := 0.0
		list, err := client.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{
			Namespace: aws.String("AWS/CloudHSM"), MetricName: aws.String("HsmKeysTokenOccupied"), Dimensions: []types.DimensionFilter{{Name: aws.String("HsmId")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list.Metrics {
			most = max(most, newestValue(t, client, m.Dimensions))
		}
		if good(most) {
			return most
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are %v keys", most)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func newestValue(t *testing.T, client *cloudwatch.Client, dimensions []types.Dimension) float64 {
	t.Helper()
	got, err := client.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(time.Now().Add(-2 * time.Minute)), EndTime: aws.Time(time.Now().Add(time.Second)),
		MetricDataQueries: []types.MetricDataQuery{tokenKeys(dimensions)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := got.MetricDataResults[0]; r.StatusCode == types.StatusCodeComplete && len(r.Values) > 0 {
		return r.Values[0]
	}
	return 0
}
