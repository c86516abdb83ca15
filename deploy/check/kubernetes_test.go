package check

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// build builds a folder of deploy/kubernetes as kubectl apply -k does.
func build(t *testing.T, dir string) []*resource.Resource {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return resources.Resources()
}

// kinds are the types of the Kubernetes API that objects are decoded into.
func kinds() map[string]any {
	return map[string]any{
		"Namespace": corev1.Namespace{}, "Service": corev1.Service{}, "ConfigMap": corev1.ConfigMap{},
		"Deployment": appsv1.Deployment{}, "StatefulSet": appsv1.StatefulSet{}, "CronJob": batchv1.CronJob{},
		"PodDisruptionBudget": policyv1.PodDisruptionBudget{}, "NetworkPolicy": networkingv1.NetworkPolicy{},
	}
}

// decode decodes an object; a field that its type does not have is a fault.
func decode(t *testing.T, r *resource.Resource) any {
	t.Helper()
	kind, known := kinds()[r.GetKind()]
	if !known {
		t.Fatalf("the test knows no type for %s %s", r.GetKind(), r.GetName())
	}
	into := reflect.New(reflect.TypeOf(kind))
	data, err := r.AsYAML()
	if err == nil {
		err = yaml.UnmarshalStrict(data, into.Interface())
	}
	if err != nil {
		t.Errorf("%s %s: %v", r.GetKind(), r.GetName(), err)
	}
	return into.Interface()
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	overlay := t.TempDir()
	here, err := filepath.Abs("../kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(overlay, here)
	if err != nil {
		t.Fatal(err)
	}
	cron := "resources: [" + relative + "/base]\ncomponents: [" + relative + "/trigger-cron]\n"
	if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(cron), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"base": "../kubernetes/base", "with the cron job": overlay} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resources := build(t, dir)
			labels := make(map[string]bool)
			for _, r := range resources {
				if r.GetKind() == "ScaledObject" {
					checkScaledObject(t, r)
					continue
				}
				switch o := decode(t, r).(type) {
				case *appsv1.Deployment:
					checkPod(t, o.Name, o.Spec.Template.Spec, true)
					labels[o.Spec.Template.Labels["app.kubernetes.io/component"]] = true
				case *appsv1.StatefulSet:
					checkPod(t, o.Name, o.Spec.Template.Spec, true)
					if *o.Spec.Replicas != 3 {
						t.Errorf("%d NATS servers", *o.Spec.Replicas)
					}
				case *batchv1.CronJob:
					checkPod(t, o.Name, o.Spec.JobTemplate.Spec.Template.Spec, false)
				}
				if r.GetNamespace() != "gorgone" && r.GetKind() != "Namespace" {
					t.Errorf("%s %s is in the namespace %q", r.GetKind(), r.GetName(), r.GetNamespace())
				}
			}
			for _, role := range []string{"dispatcher", "worker", "web"} {
				if !labels[role] {
					t.Errorf("there is no %s", role)
				}
			}
		})
	}
}

// checkPod checks what the namespace's security level "restricted" demands, and
// that each container is limited and, if it goes on running, looked after.
func checkPod(t *testing.T, name string, pod corev1.PodSpec, lasting bool) {
	t.Helper()
	if pod.SecurityContext == nil || pod.SecurityContext.RunAsNonRoot == nil || !*pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.SeccompProfile == nil {
		t.Errorf("%s: may run as root, or with all system calls", name)
	}
	for _, c := range append(append([]corev1.Container{}, pod.InitContainers...), pod.Containers...) {
		s := c.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
			t.Errorf("%s/%s: not hardened", name, c.Name)
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			t.Errorf("%s/%s: no requests or limits", name, c.Name)
		}
	}
	for _, c := range pod.Containers {
		if lasting && (c.LivenessProbe == nil || c.ReadinessProbe == nil || c.StartupProbe == nil) {
			t.Errorf("%s/%s: a probe is missing", name, c.Name)
		}
	}
}

// keda is the release whose schema is held against. It is fetched, not imported: it
// would bring the client libraries of every cloud.
const keda = "github.com/kedacore/keda/v2@v2.21.0"

// kedaDir is the source of KEDA.
func kedaDir(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", keda).Output()
	if err != nil {
		t.Fatalf("download KEDA's source for its schema: %v", err)
	}
	var module struct{ Dir string }
	if err := yaml.Unmarshal(out, &module); err != nil || module.Dir == "" {
		t.Fatalf("where is KEDA's source? %v\n%s", err, out)
	}
	return module.Dir
}

// checkScaledObject checks the object against KEDA's own definition of it, and its
// triggers against the fields that KEDA's scaler reads.
func checkScaledObject(t *testing.T, r *resource.Resource) {
	t.Helper()
	source := kedaDir(t)
	definition, err := os.ReadFile(filepath.Join(source, "config/crd/bases/keda.sh_scaledobjects.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(definition, &crd); err != nil {
		t.Fatal(err)
	}
	var props apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, &props, nil); err != nil {
		t.Fatal(err)
	}
	data, err := r.AsYAML()
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := yaml.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(&props)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range validation.ValidateCustomResource(nil, object, validator) {
		t.Errorf("%s: %v", r.GetName(), fault)
	}
	structural, err := schema.NewStructural(&props)
	if err != nil {
		t.Fatal(err)
	}
	if unknown := pruning.PruneWithOptions(object, structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}); len(unknown) > 0 {
		t.Errorf("%s: KEDA knows no %s", r.GetName(), strings.Join(unknown, ", "))
	}
	known, required := triggerFields(t, filepath.Join(source, "pkg/scalers/nats_jetstream_scaler.go"))
	triggers := object["spec"].(map[string]any)["triggers"].([]any) //nolint:forcetypeassert // validated above
	for _, trigger := range triggers {
		if kind := trigger.(map[string]any)["type"]; kind != "nats-jetstream" {
			t.Errorf("a trigger of type %v", kind)
		}
		metadata := trigger.(map[string]any)["metadata"].(map[string]any)
		for field := range metadata {
			if !known[field] {
				t.Errorf("KEDA's scaler reads no field %s", field)
			}
		}
		for field := range required {
			if metadata[field] == nil {
				t.Errorf("KEDA's scaler needs the field %s", field)
			}
		}
	}
	if len(triggers) != 2 {
		t.Errorf("%d triggers, want one for batches and one for refreshes", len(triggers))
	}
}

// triggerFields reads the names of a scaler's fields from its source.
func triggerFields(t *testing.T, path string) (known, required map[string]bool) {
	t.Helper()
	source, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	known, required = make(map[string]bool), make(map[string]bool)
	ast.Inspect(source, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "natsJetStreamMetadata" {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			if f.Tag == nil {
				continue
			}
			tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("keda")
			name, rest, _ := strings.Cut(strings.TrimPrefix(tag, "name="), ",")
			known[name] = true
			if !strings.Contains(rest, "optional") && !strings.Contains(rest, "default=") {
				required[name] = true
			}
		}
		return false
	})
	if len(required) == 0 {
		t.Fatal("the fields of KEDA's scaler were not found: did its source change?")
	}
	return known, required
}

// TestKubernetesNATSConfig sees that what is mounted is the file that was checked.
func TestKubernetesNATSConfig(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../kubernetes/base/nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range build(t, "../kubernetes/base") {
		if r.GetKind() == "ConfigMap" && strings.HasPrefix(r.GetName(), "nats-") {
			data, err := r.AsYAML()
			if err != nil {
				t.Fatal(err)
			}
			var m corev1.ConfigMap
			if err := yaml.UnmarshalStrict(data, &m); err != nil || !bytes.Equal([]byte(m.Data["nats.conf"]), file) {
				t.Errorf("mounted: %v\n%s", err, m.Data["nats.conf"])
			}
			return
		}
	}
	t.Error("there is no config map for NATS")
}
