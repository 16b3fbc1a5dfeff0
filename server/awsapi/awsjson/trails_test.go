package awsjson_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	cloudhsmv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudhsm/v1"
	cloudtrailv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudtrail/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
	"github.com/strongroom-kms/strongroom/server/awsapi/awsjson"
)

// Answers of the services that read the trails have their lists, and each service its
// own spelling.
func TestAppendAnswersOfTheTrails(t *testing.T) {
	for want, msg := range map[string]proto.Message{
		`{"Events":[]}`: &cloudtrailv1.LookupEventsResponse{},
		`{"Events":[{"ReadOnly":"true","EventTime":1499288695,"Resources":[]}]}`: &cloudtrailv1.LookupEventsResponse{
			Events: []*cloudtrailv1.Event{{ReadOnly: new("true"), EventTime: &timestamppb.Timestamp{Seconds: 1499288695}}},
		},
		`{"trailList":[{"S3BucketName":"b","TrailARN":"arn"}]}`: &cloudtrailv1.DescribeTrailsResponse{
			TrailList: []*cloudtrailv1.Trail{{S3BucketName: new("b"), TrailArn: new("arn")}},
		},
		`{"Trail":{"Name":"n"}}`:                &cloudtrailv1.GetTrailResponse{Trail: &cloudtrailv1.Trail{Name: new("n")}},
		`{"events":[],"searchedLogStreams":[]}`: &logsv1.FilterLogEventsResponse{},
		`{"events":[{"timestamp":1499288695918}],"nextForwardToken":"f/1"}`: &logsv1.GetLogEventsResponse{
			Events: []*logsv1.OutputLogEvent{{Timestamp: new(int64(1499288695918))}}, NextForwardToken: new("f/1"),
		},
	} {
		if got := string(awsjson.Append(nil, planOf(t, msg), msg)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A map whose keys are known is read as a message; another key is not passed over,
// since more would be answered than was asked for.
func TestDecodeAMapOfKnownKeys(t *testing.T) {
	got, want := new(cloudhsmv1.DescribeClustersRequest), &cloudhsmv1.DescribeClustersRequest{
		Filters: &cloudhsmv1.Filters{ClusterIds: []string{"a", "b"}}, MaxResults: new(int32(3)),
	}
	plan := planOf(t, got)
	if err := awsjson.Decode(plan, []byte(`{"Filters": {"clusterIds": ["a", "b"]}, "MaxResults": 3, "Other": 1}`), got); err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	err := awsjson.Decode(plan, []byte(`{"Filters": {"clusterIDs": ["a"]}}`), new(cloudhsmv1.DescribeClustersRequest))
	if wrong := new(awsjson.Error); !errors.As(err, &wrong) || wrong.Message != "Unknown name in Filters." {
		t.Errorf("an unknown key: %v", err)
	}
}
