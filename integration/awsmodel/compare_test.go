package awsmodel_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	cloudhsmv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudhsm/v1"
	cloudtrailv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudtrail/v1"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
)

// The API is the model, but for the differences that are meant: whatever one has
// and the other lacks is among them, and they are all there.
func TestTheAPIIsTheModel(t *testing.T) {
	kms := compiled(t, kmsv1.File_strongroom_kms_v1_kms_proto.Services().ByName("KeyManagementService"))
	compare(t, load(t, "kms/2014-11-01").facts(), apiFacts(t, kms), reasons())
}

// So are the services by which trails and metrics are read, as far as they are offered.
func TestReadingIsAsInTheModels(t *testing.T) {
	for model, test := range map[string]struct {
		desc    protoreflect.ServiceDescriptor
		reasons map[string]string
	}{
		"cloudtrail/2013-11-01": {cloudtrailv1.File_strongroom_cloudtrail_v1_cloudtrail_proto.Services().Get(0), cloudTrailReasons()},
		"logs/2014-03-28":       {logsv1.File_strongroom_logs_v1_logs_proto.Services().Get(0), logsReasons()},
		"cloudhsmv2/2017-04-28": {cloudhsmv1.File_strongroom_cloudhsm_v1_cloudhsm_proto.Services().Get(0), cloudHSMReasons()},
		"cloudwatch/2010-08-01": {cloudwatchv1.File_strongroom_cloudwatch_v1_cloudwatch_proto.Services().Get(0), cloudWatchReasons()},
	} {
		t.Run(model, func(t *testing.T) {
			service, offered := compiled(t, test.desc), []string(nil)
			for _, m := range service.Methods {
				offered = append(offered, m.Name)
			}
			compare(t, load(t, model).only(offered).facts(), apiFacts(t, service), test.reasons)
		})
	}
}

// compare reports the differences that are not meant, and those meant that are none.
func compare(t *testing.T, theirs, ours facts, reasons map[string]string) {
	t.Helper()
	unmet := maps.Clone(reasons)
	for _, path := range differing(theirs, ours) {
		meant := covering(reasons, path)
		delete(unmet, meant)
		if meant == "" {
			t.Errorf("%s\n  model: %s\n  API:   %s", path, theirs[path], ours[path])
		}
	}
	for path, reason := range unmet {
		t.Errorf("%s is no difference any more (%s)", path, reason)
	}
}

// differing returns what is not said of both alike.
func differing(theirs, ours facts) []string {
	all := maps.Clone(theirs)
	maps.Copy(all, ours)
	maps.DeleteFunc(all, func(path, _ string) bool { return theirs[path] == ours[path] })
	return slices.Sorted(maps.Keys(all))
}

// covering returns the difference that covers path, empty if there is none.
func covering(differences map[string]string, path string) string {
	if _, exactly := differences[path]; exactly {
		return path
	}
	for d := range differences {
		if whole, all := strings.CutSuffix(d, "*"); all && strings.HasPrefix(path+" ", whole) {
			return d
		}
	}
	return ""
}

// A comparison that finds nothing must be one that could have.
func TestDifferencesAreFound(t *testing.T) {
	theirs := facts{"Op": "a", "Op error E": "declared", "S M size": "1..2"}
	ours := facts{"Op": "a", "Op error F": "declared", "S M size": "1..3"}
	got := differing(theirs, ours)
	if want := []string{"Op error E", "Op error F", "S M size"}; !slices.Equal(got, want) {
		t.Errorf("differences: %q, want %q", got, want)
	}
	meant := map[string]string{"S *": "all of it", "Op": "only this"}
	for path, want := range map[string]string{"S": "S *", "S M size": "S *", "SM size": "", "Op": "Op", "Op error E": ""} {
		if got := covering(meant, path); got != want {
			t.Errorf("%q is covered by %q, want %q", path, got, want)
		}
	}
}
