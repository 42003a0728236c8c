using Akvam.Tests.Architecture;
using Iced.Intel;

namespace Akvam.Tests.Preload;

/// <summary>The length decoder of the preload library (<c>length.c</c>) against Iced's, at every byte of real programs and of random ones: most of these are no instruction's first.</summary>
public sealed class InstructionLengthTests
{
    [Fact]
    public void AgreesWithIcedAtEveryByteOfTheCLibrary()
    {
        string library = File.ReadLines("/proc/self/maps").Select(line => line[(line.LastIndexOf(' ') + 1)..]).First(path => path.EndsWith("/libc.so.6", StringComparison.Ordinal));
        Compare(File.ReadAllBytes(library));
    }

    [Fact]
    public void AgreesWithIcedOnRandomBytes()
    {
        var random = new Random(20);
        byte[] code = new byte[2_000_000];
        random.NextBytes(code);
        byte[] starts = [0x0F, 0x62, 0xC4, 0xC5, 0x8F, 0x66, 0x67, 0x48, 0x41, 0xF2, 0xF3, 0xF0, 0xF6, 0xF7];
        for (int i = 0; i < code.Length; i += random.Next(1, 12))
        {
            // Random bytes alone hold few of the longer opcodes.
            code[i] = starts[random.Next(starts.Length)];
        }

        Compare(code);
    }

    private static void Compare(byte[] code)
    {
        byte[] lengths = Lengths(code);
        var reader = new ByteArrayCodeReader(code);
        var decoder = Decoder.Create(64, reader);
        var different = new List<string>();
        int certain = 0;
        for (int i = 0; i < code.Length; i++)
        {
            reader.Position = i;
            Instruction instruction = decoder.Decode();
            bool same = lengths[i] == instruction.Length || (lengths[i] == 0 && IsNotSure(instruction, code.AsSpan(i, instruction.Length)));
            certain += lengths[i] != 0 ? 1 : 0;
            if (!instruction.IsInvalid && !same)
            {
                different.Add($"{instruction.Code}: {lengths[i]}, not {instruction.Length}: {Convert.ToHexString(code, i, Math.Min(15, code.Length - i))}");
            }
        }

        Assert.Equal([], different.DistinctBy(line => line.Split(':')[0]).Take(40));
        Assert.True(certain > code.Length / 2, $"only {certain} of {code.Length} bytes begin an instruction");
    }

    /// <summary>What Iced decodes and the library does not: processors of the two makers differ, or few have it. Going through a function ends there.</summary>
    private static bool IsNotSure(in Instruction instruction, ReadOnlySpan<byte> bytes) => instruction.Mnemonic switch
    {
        // No ModRM byte on AMD's processors; one opcode for three extensions; a short-lived extension of VIA's.
        Mnemonic.Ud0 or Mnemonic.Vmread or Mnemonic.Vmwrite or Mnemonic.Insertq or Mnemonic.Extrq => true,
        _ when instruction.CpuidFeatures.Any(feature => feature.ToString().StartsWith("PADLOCK", StringComparison.Ordinal)) => true,

        // AMD's take two bytes for the distance.
        _ => (instruction.IsJccNear || instruction.IsJmpNear || instruction.IsCallNear) && bytes[..^4].Contains((byte)0x66),
    };

    private static byte[] Lengths(byte[] code)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("akvam-lengths-");
        try
        {
            string input = Path.Combine(folder.FullName, "input"), output = Path.Combine(folder.FullName, "output");
            using var client = new NativeClient("lengths", "-I", Path.Combine(Repository.Root, "src/Akvam.Preload/native"));
            File.WriteAllBytes(input, code);
            Assert.Equal((0, ""), NativeClient.Execute(client.Program, [input, output]));
            return File.ReadAllBytes(output);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
