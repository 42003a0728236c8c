using System.Globalization;
using Akvam.Cpu;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Engine;

/// <summary>
/// Random programs that change themselves, run in one go and one instruction at a time (every one decoded afresh): the state after N instructions is the same
/// for every N. AKVAM_FUZZ sets the number of programs.
/// </summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class StopTests
{
    private const ulong Origin = 0xC000;

    [Fact]
    public void Blocks_and_single_steps_agree_at_every_boundary()
    {
        int programs = int.TryParse(Environment.GetEnvironmentVariable("AKVAM_FUZZ"), NumberStyles.Integer, CultureInfo.InvariantCulture, out int n) ? n : 40;
        using var fast = new TestMachine(1 << 20);
        using var slow = new TestMachine(1 << 20);
        for (int seed = 1; seed <= programs; seed++)
        {
            var random = new Random(seed);
            byte[] code = Program(random);
            Start(slow, code);
            var expected = new List<string>();
            for (int steps = 0; steps < 300; steps++)
            {
                expected.Add(Describe(slow));
                slow.Processor.Group.Memory.SetSlot(0, 0, 0, (ulong)slow.Bytes, slow.Ram, readOnly: false, logDirty: false);
                Assert.Equal(RunResult.Limit, slow.Processor.Run(1));
            }

            for (int turn = 0; turn < 12; turn++)
            {
                int stop = random.Next(1, 300);
                Start(fast, code);
                for (int done = 0; done < stop;)
                {
                    int part = Math.Min(stop - done, random.Next(1, 200));
                    Assert.Equal(RunResult.Limit, fast.Processor.Run((ulong)part));
                    done += part;
                }

                Assert.True(expected[stop] == Describe(fast), $"seed {seed}, {stop} instructions:\n{expected[stop]}\n{Describe(fast)}\n{Convert.ToHexString(code)}");
            }
        }
    }

    private static void Start(TestMachine m, byte[] code)
    {
        m.Memory[0x7000..0x2_0000].Clear();
        ModeSetup.Enter(m, GuestMode.Long, Origin);
        code.CopyTo(m.Memory[(int)Origin..]);
        m.State->Gpr[Register.Rbx] = 0x1_0000;
        m.State->Retired = 0;
    }

    private static string Describe(TestMachine m)
    {
        CpuState* s = m.State;
        string text = $"rip {s->Rip:x} retired {s->Retired} flags {LazyFlags.Read(s):x}";
        for (int r = 0; r < 16; r++)
        {
            text += $" {s->Gpr[r]:x}";
        }

        var hash = default(HashCode);
        hash.AddBytes(m.Memory[0x7000..0x2_0000]);
        return $"{text} memory {hash.ToHashCode():x}";
    }

    /// <summary>An endless loop of arithmetic, loads, stores, string instructions, short jumps, and stores into its own immediates.</summary>
    private static byte[] Program(Random random)
    {
        var code = new List<byte>();
        var immediates = new List<int>();
        var patches = new List<(int At, int Next)>();
        int instructions = random.Next(5, 120);
        for (int n = 0; n < instructions; n++)
        {
            switch (random.Next(9))
            {
                case 0:
                    code.AddRange([0x81, 0xC0, 0, 0, 0, 0]); // add eax, imm32
                    immediates.Add(code.Count - 4);
                    break;
                case 1:
                    code.AddRange([0x48, 0x83, 0xD2, (byte)random.Next(128)]); // adc rdx, imm8
                    immediates.Add(code.Count - 1);
                    break;
                case 2:
                    code.AddRange([0xC6, 0x05, 0, 0, 0, 0, (byte)random.Next(256)]); // mov byte [rip+d], imm8
                    patches.Add((code.Count - 5, code.Count));
                    break;
                case 3:
                    code.AddRange([0x80, 0x05, 0, 0, 0, 0, 3]); // add byte [rip+d], 3
                    patches.Add((code.Count - 5, code.Count));
                    break;
                case 4:
                    code.AddRange([0x01, 0x03]); // add [rbx], eax
                    break;
                case 5:
                    code.AddRange([0xB9, 5, 0, 0, 0, 0x48, 0x8D, 0xBB, 0, 1, 0, 0, 0xF3, 0xAA]); // mov ecx, 5; lea rdi, [rbx+100h]; rep stosb
                    immediates.Add(code.Count - 6);
                    break;
                case 6:
                    code.AddRange([0xA8, (byte)random.Next(256), (byte)(0x70 + random.Next(16)), 2, 0xFF, 0xC6]); // test al, imm8; jcc +2; inc esi
                    break;
                case 7:
                    code.AddRange([0x50, 0x41, 0x58]); // push rax; pop r8
                    break;
                default:
                    code.AddRange([0x48, 0x0F, 0xAF, 0xD0, 0x8B, 0x2B]); // imul rdx, rax; mov ebp, [rbx]
                    break;
            }
        }

        code.AddRange([0xE9, 0, 0, 0, 0]);
        BitConverter.TryWriteBytes(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(code)[(code.Count - 4)..], -code.Count);
        immediates.Add(patches.Count != 0 ? patches[0].Next - 1 : 0);
        foreach ((int at, int next) in patches)
        {
            int target = immediates[random.Next(immediates.Count)];
            target = target == 0 ? next - 1 : target;
            BitConverter.TryWriteBytes(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(code)[at..], target - next);
        }

        return [.. code];
    }
}
