package runfile

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// The file that gorgone up leaves for other commands is read as it was written, or
// refused without repeating what is in it: it holds passwords.
func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"pid":7,"started":"2026-11-01T12:00:00Z","database_url":"postgres://u:sesame@127.0.0.1:1/x","nats_url":"nats://127.0.0.1:2","web_url":"http://127.0.0.1:3","rate":20}`))
	f.Add([]byte(`{"pid":7,"database_url":"host=/tmp","nats_url":"nats://a:1,nats://b:2","web_url":"http://[::1]:3","provider_url":"http://127.0.0.1:4","provider_key":"sesame"}`))
	f.Add([]byte(`{"pid":7,"database_url":"x","nats_url":"y","web_url":"http://z","settings":{"schedule":{"Tiers":[{"Tier":"hot","Until":3,"Every":1}]},"cost":{"Day":1.5},"retention":{"Chosen":true},"stream_prefix":"A","provider":"x"}}`))
	f.Add([]byte(`{"pid":"sesame"}`))
	f.Add([]byte(`{"pid":7,"web_url":"http://sesame\u007f"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decode(data)
		if err != nil {
			if r != (File{}) || strings.Contains(err.Error(), "sesame") {
				t.Fatalf("%+v, %v", r, err)
			}
			return
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode(text)
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%s became %+v (%v)", text, again, err)
		}
	})
}
