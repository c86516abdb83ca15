// The tests of this file ask the vendor's own JavaScript SDK, which needs Node.js and
// an npm install; the gate brings both and sets the tag.

//go:build sdk

package auth_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gorgone/web/auth"
)

const (
	vendorDir = "testdata/qstash"

	// sdkLeeway is more than starting node takes: the SDK goes by the real time.
	sdkLeeway = 2 * time.Minute
)

// vendorCase is a delivery for the vendor's SDK to sign and to judge.
type vendorCase struct {
	Name       string        `json:"name"`
	Algorithm  string        `json:"algorithm"`
	Key        string        `json:"key"`
	Claims     jwt.MapClaims `json:"claims"` // without the body's hash
	SignedBody string        `json:"signedBody"`
	Padded     bool          `json:"padded"` // the hash
	Body       string        `json:"body"`   // as it arrives
	URL        string        `json:"url"`
	Given      string        `json:"given"` // the same token, made by our signer

	refused auth.Reason // by us; empty: accepted
	sdk     bool        // the SDK accepts it
}

type vendorAnswer struct {
	Name         string `json:"name"`
	Made         string `json:"made"`         // the token, made on the vendor's side
	MadeRefused  string `json:"madeRefused"`  // why the SDK refuses it; empty: accepted
	GivenRefused string `json:"givenRefused"` // the same for the token of ours
}

// vendorCases are what both sides are asked: a genuine delivery, changed.
func vendorCases(at time.Time) []vendorCase {
	genuine := claimsWith(delivery(at), jwt.MapClaims{"body": nil})
	in := func(d time.Duration) int64 { return at.Add(d).Unix() }
	var cases []vendorCase
	add := func(name string, sdk bool, refused auth.Reason, change func(*vendorCase)) {
		c := vendorCase{
			Name: name, Algorithm: "HS256", Key: currentKey, Claims: genuine,
			SignedBody: body, Body: body, URL: publicURL + target, refused: refused, sdk: sdk,
		}
		change(&c)
		cases = append(cases, c)
	}
	claim := func(name string, value any) func(*vendorCase) {
		return func(c *vendorCase) { c.Claims = claimsWith(genuine, jwt.MapClaims{name: value}) }
	}
	both := func(body string) func(*vendorCase) {
		return func(c *vendorCase) { c.SignedBody, c.Body = body, body }
	}
	key := func(key string) func(*vendorCase) { return func(c *vendorCase) { c.Key = key } }
	algorithm := func(name string) func(*vendorCase) { return func(c *vendorCase) { c.Algorithm = name } }

	add("genuine", true, "", func(*vendorCase) {})
	add("padded hash", true, "", func(c *vendorCase) { c.Padded = true })
	add("next key", true, "", key(nextKey))
	add("empty body", true, "", both(""))
	add("body beyond ASCII", true, "", both("é✓\x00"))
	add("ended within the leeway", true, "", claim("exp", in(-time.Second)))
	add("begins within the leeway", true, "", claim("nbf", in(4*time.Second)))

	add("another key", false, auth.ReasonSignature, key("sig_test_current_222222222222222"))
	add("another region's key", false, auth.ReasonSignature, key(otherCurrent))
	add("not signed", false, auth.ReasonAlgorithm, algorithm("none"))
	add("another body", false, auth.ReasonBody, func(c *vendorCase) { c.Body = `{"limit":501}` })
	add("another URL", false, auth.ReasonSubject, func(c *vendorCase) { c.URL = publicURL + "/api/twitter/tweets" })
	add("another issuer", false, auth.ReasonIssuer, claim("iss", "Downstash"))
	add("expired", false, auth.ReasonExpired, claim("exp", in(-time.Hour)))
	add("not valid yet", false, auth.ReasonNotYet, claim("nbf", in(time.Hour)))

	// What the SDK lets pass and we do not.
	add("HS512", true, auth.ReasonAlgorithm, algorithm("HS512"))
	add("without exp", true, auth.ReasonClaim, claim("exp", nil))
	add("without nbf", true, auth.ReasonClaim, claim("nbf", nil))
	add("without jti", true, auth.ReasonClaim, claim("jti", nil))
	return cases
}

// The vendor's SDK and our verifier judge the same tokens, each made twice: on the
// vendor's side and by the signer that the other tests use. So neither the
// verifier nor that signer rests on our reading of the documentation alone.
func TestQStashVendor(t *testing.T) {
	t.Parallel()
	at := time.Now()
	cases := vendorCases(at)
	for i := range cases {
		c := &cases[i]
		hash := bodyHash(c.SignedBody)
		if !c.Padded {
			hash = strings.TrimRight(hash, "=")
		}
		var key any = []byte(c.Key)
		if c.Algorithm == "none" {
			key = jwt.UnsafeAllowNoneSignatureType
		}
		c.Given = sign(t, jwt.GetSigningMethod(c.Algorithm), key, nil, claimsWith(c.Claims, jwt.MapClaims{"body": hash}))
	}
	answers := askVendor(t, cases)

	config := qstashConfig()
	config.Keys = config.Keys[:1]
	config.Now = func() time.Time { return at }
	q := newQStash(t, config)
	for i, c := range cases {
		a := answers[i]
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if a.Name != c.Name {
				t.Fatalf("the answer is for %q", a.Name)
			}
			for side, token := range map[string]struct{ signed, refused string }{
				"the vendor's": {a.Made, a.MadeRefused},
				"our":          {c.Given, a.GivenRefused},
			} {
				if (token.refused == "") != c.sdk {
					t.Errorf("%s token: the SDK says %q, want accepted: %t", side, token.refused, c.sdk)
				}
				_, err := q.Verify(deliveryHeader(token.signed), strings.TrimPrefix(c.URL, publicURL), []byte(c.Body))
				wantReason(t, err, c.refused)
			}
		})
	}
}

func askVendor(t *testing.T, cases []vendorCase) []vendorAnswer {
	t.Helper()
	const install = "the vendor's SDK judges our tokens: install Node.js 20 or later, then run\n\tnpm ci --ignore-scripts --prefix web/auth/" + vendorDir
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("there is no node: %s", install)
	}
	if _, err := os.Stat(filepath.Join(vendorDir, "node_modules/@upstash/qstash/package.json")); err != nil {
		t.Fatalf("the SDK is not installed: %s", install)
	}
	question, err := json.Marshal(map[string]any{"current": currentKey, "next": nextKey, "leeway": sdkLeeway.Seconds(), "cases": cases})
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), node, "judge.mjs")
	cmd.Dir = vendorDir
	cmd.Env = append(os.Environ(), "QSTASH_DEV=", "QSTASH_REGION=")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(question), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("run judge.mjs: %v\n%s", err, stderr.String())
	}
	var answers []vendorAnswer
	if err := json.Unmarshal(stdout.Bytes(), &answers); err != nil {
		t.Fatalf("read the SDK's answers: %v\n%s", err, stdout.String())
	}
	if len(answers) != len(cases) {
		t.Fatalf("%d answers to %d cases", len(answers), len(cases))
	}
	return answers
}
