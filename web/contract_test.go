package web_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"gorgone/web"
)

var update = flag.Bool("update", false, "write what the OpenAPI document promises into testdata/openapi.txt")

const promisesFile = "testdata/openapi.txt"

// TestDocumentKeepsItsPromises compares the routes, parameters, status codes and
// fields of the OpenAPI document with those of before. There may be more than these;
// none of them may go or change.
func TestDocumentKeepsItsPromises(t *testing.T) {
	t.Parallel()
	var document any
	if err := json.Unmarshal(web.Description(), &document); err != nil {
		t.Fatal(err)
	}
	found := contract{document.(map[string]any)}.promises("", document)
	slices.Sort(found)
	if *update {
		if err := os.WriteFile(promisesFile, []byte(strings.Join(found, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(promisesFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(before)) {
		if line = strings.TrimSuffix(line, "\n"); !slices.Contains(found, line) {
			t.Errorf("gone or changed: %s", line)
		}
	}
}

// contract is a document whose promises are listed.
type contract struct{ document map[string]any }

// promises lists the values of a document with their paths, without its prose. The
// elements of a list have their names in the path or, if they have none, no order.
// A response that is used by several routes is a promise of each.
func (c contract) promises(path string, value any) (lines []string) {
	switch v := value.(type) {
	case map[string]any:
		if ref, _ := v["$ref"].(string); strings.HasPrefix(ref, "#/components/responses/") {
			responses := c.document["components"].(map[string]any)["responses"].(map[string]any)
			return c.promises(path, responses[strings.TrimPrefix(ref, "#/components/responses/")])
		}
		if path == "/components/responses" {
			return nil
		}
		for key, field := range v {
			if _, text := field.(string); text && slices.Contains([]string{"description", "summary", "title"}, key) {
				continue
			}
			lines = append(lines, c.promises(path+"/"+key, field)...)
		}
	case []any:
		for _, element := range v {
			of, _ := element.(map[string]any)
			name, _ := of["name"].(string)
			lines = append(lines, c.promises(path+"["+name+"]", element)...)
		}
	default:
		lines = append(lines, fmt.Sprintf("%s = %v", path, v))
	}
	return lines
}
