package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/cmd/internal/connect"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	"github.com/strongroom-kms/strongroom/internal/atomicfile"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
)

type keyImportCmd struct {
	Parameters keyImportParametersCmd `cmd:"" help:"Get what key material is wrapped and imported with."`
	Wrap       keyImportWrapCmd       `cmd:"" help:"Wrap key material, without a server."`
	Material   keyImportMaterialCmd   `cmd:"" help:"Import wrapped key material."`
	Delete     keyImportDeleteCmd     `cmd:"" help:"Delete imported key material; it can be imported again."`
}

type keyImportParametersCmd struct {
	Key       keyID                         `arg:"" help:"The id or ARN of a key whose origin is EXTERNAL."`
	Algorithm choice[kmsv1.AlgorithmSpec]   `short:"a" placeholder:"ALGORITHM" required:"" help:"How the material will be wrapped, such as RSAES_OAEP_SHA_256 or RSA_AES_KEY_WRAP_SHA_256."`
	Spec      choice[kmsv1.WrappingKeySpec] `placeholder:"SPEC" required:"" help:"The wrapping key: RSA_2048, RSA_3072 or RSA_4096."`
	PublicKey string                        `placeholder:"FILE" required:"" help:"Write the wrapping key, in DER, to this new file."`
	Token     string                        `placeholder:"FILE" required:"" help:"Write the import token to this new file."`
	Force     bool                          `help:"Replace the files if they exist."`
	requestFlags
}

// Help is part of kong's HelpProvider.
func (*keyImportParametersCmd) Help() string {
	return `Example:

    strongroom key import parameters $KEY --algorithm RSAES_OAEP_SHA_256 --spec RSA_3072 --public-key wrap.der --token token
    strongroom key import wrap --public-key wrap.der --algorithm RSAES_OAEP_SHA_256 material -o wrapped
    strongroom key import material $KEY --token token wrapped`
}

// Run gets the parameters and writes the files.
func (c *keyImportParametersCmd) Run(ctx context.Context, p *Process) error {
	return c.call(ctx, p, func(ctx context.Context, client *connect.Client) error {
		answer, err := client.KMS.GetParametersForImport(ctx, &kmsv1.GetParametersForImportRequest{
			KeyId: c.Key.id(), WrappingAlgorithm: c.Algorithm.field(), WrappingKeySpec: c.Spec.field(),
		})
		if err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(c.PublicKey, mode(c.Force), 0o600, answer.GetPublicKey()); err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(c.Token, mode(c.Force), 0o600, answer.GetImportToken()); err != nil {
			return err
		}
		return c.print(p, answer, func(w io.Writer) error {
			return present.Fields(w, []present.Field{
				{Name: "Key", Value: answer.GetKeyId()},
				{Name: "Valid until", Value: present.Time(answer.GetParametersValidTo())},
			})
		})
	})
}

type keyImportMaterialCmd struct {
	Key         keyID                    `arg:"" help:"The key's id or ARN."`
	Input       string                   `arg:"" optional:"" default:"-" help:"The file with the wrapped material, in base64 or as it is; - is standard input."`
	Token       string                   `placeholder:"FILE" required:"" help:"The file with the import token."`
	ValidTo     moment                   `placeholder:"TIME" help:"When the material is deleted, such as 2027-01-31T00:00:00Z; without it never."`
	Type        choice[kmsv1.ImportType] `placeholder:"TYPE" help:"NEW_KEY_MATERIAL or EXISTING_KEY_MATERIAL."`
	Material    string                   `placeholder:"ID" help:"Which of the key's materials is imported again."`
	Description string                   `help:"What the material is."`
	requestFlags
}

// Run imports the material.
func (c *keyImportMaterialCmd) Run(ctx context.Context, p *Process) error {
	token, err := readSignature(p, "--token", c.Token, c.Input)
	if err != nil {
		return err
	}
	wrapped, err := readInput(p, c.Input)
	if err != nil {
		return err
	}
	request := &kmsv1.ImportKeyMaterialRequest{
		KeyId: c.Key.id(), ImportToken: token, EncryptedKeyMaterial: ciphertext(wrapped), ImportType: c.Type.field(),
		KeyMaterialId: given(c.Material), KeyMaterialDescription: given(c.Description),
		ExpirationModel: kmsv1.ExpirationModelType_EXPIRATION_MODEL_TYPE_KEY_MATERIAL_DOES_NOT_EXPIRE.Enum(),
	}
	if !c.ValidTo.IsZero() {
		request.ValidTo = timestamppb.New(c.ValidTo.Time)
		request.ExpirationModel = kmsv1.ExpirationModelType_EXPIRATION_MODEL_TYPE_KEY_MATERIAL_EXPIRES.Enum()
	}
	return ask(ctx, p, c.requestFlags, kms.ImportKeyMaterial, request, func(w io.Writer, r *kmsv1.ImportKeyMaterialResponse) error {
		if err := materialTable(w, r.GetKeyId(), r.GetKeyMaterialId()); err != nil || c.Type.value != kmsv1.ImportType_IMPORT_TYPE_NEW_KEY_MATERIAL {
			return err
		}
		_, err := fmt.Fprintf(w, "If the key had other material already, `strongroom key rotation now %s` makes this its current one.\n", c.Key)
		return err
	})
}

// moment is a flag with a time; the zero one is none.
type moment struct{ time.Time }

// UnmarshalText is part of encoding.TextUnmarshaler.
func (m *moment) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is not a time such as 2027-01-31T00:00:00Z", text)
	}
	m.Time = at
	return nil
}

type keyImportDeleteCmd struct {
	Key      keyID  `arg:"" help:"The key's id or ARN."`
	Material string `placeholder:"ID" help:"Which of the key's materials; without it the current one."`
	requestFlags
}

// Run deletes the material.
func (c *keyImportDeleteCmd) Run(ctx context.Context, p *Process) error {
	request := &kmsv1.DeleteImportedKeyMaterialRequest{KeyId: c.Key.id(), KeyMaterialId: given(c.Material)}
	return ask(ctx, p, c.requestFlags, kms.DeleteImportedKeyMaterial, request, func(w io.Writer, r *kmsv1.DeleteImportedKeyMaterialResponse) error {
		return materialTable(w, r.GetKeyId(), r.GetKeyMaterialId())
	})
}

func materialTable(w io.Writer, key, material string) error {
	return present.Fields(w, []present.Field{{Name: "Key", Value: key}, {Name: "Material", Value: material}})
}
