using System.Runtime.InteropServices;
using Akvam.Cpu.State;
using Iced.Intel;
using Register = Iced.Intel.Register;

namespace Akvam.Isa.Tests.Oracle;

/// <summary>Random register contents that favour the edges: zeros, ones, sign changes, special floating-point values.</summary>
/// <remarks>Valid for the state it is given.</remarks>
internal static unsafe class RandomState
{
    private static readonly ulong[] s_edges = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, ulong.MaxValue];

    private static readonly ulong[] s_doubles = [0, 0x8000_0000_0000_0000, 0x3FF0_0000_0000_0000, 0xBFF0_0000_0000_0000, 0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0000, 0x7FF8_0000_0000_0001,
        0x7FF0_0000_0000_0001, 1, 0x000F_FFFF_FFFF_FFFF, 0x0010_0000_0000_0000, 0x7FEF_FFFF_FFFF_FFFF, 0x4340_0000_0000_0001, 0x41DF_FFFF_FFE0_0000];

    private static readonly uint[] s_singles = [0, 0x8000_0000, 0x3F80_0000, 0xBF80_0000, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0001, 0x7F80_0001, 1, 0x007F_FFFF, 0x0080_0000, 0x7F7F_FFFF, 0x4F00_0000, 0xCF00_0001];

    public static void Fill(MachineState* s, Random random, InstructionGenerator generator, in Instruction x)
    {
        for (int n = 0; n < 16; n++)
        {
            s->Gpr[n] = Integer(random);
        }

        s->Rflags = Rflags.Fixed | Rflags.IF | ((ulong)random.NextInt64() & Rflags.Lazy);
        s->Mxcsr = 0x1F80u | ((uint)random.Next(4) << 13);
        random.NextBytes(new Span<byte>(s->Ymm, 512));
        Floats(new Span<byte>(s->Ymm, 512), random);
        FillX87(s, random);

        // String instructions: pointers into the scratch memory and a small count.
        s->Gpr[4] = HostCpu.ScratchAddress + 0x8000;
        s->Gpr[6] = HostCpu.ScratchAddress + 0x2000 + (ulong)random.Next(512);
        s->Gpr[7] = HostCpu.ScratchAddress + 0x3000 + (ulong)random.Next(512);
        if (random.Next(4) == 0)
        {
            s->Rflags |= Rflags.DF;
        }

        if (generator.HasMemory)
        {
            (Register b, Register index, int scale, long displacement) = generator.Address;
            ulong at = generator.MemoryAddress - (ulong)displacement;
            if (index != Register.None)
            {
                ulong i = (ulong)random.Next(-5000, 5000);
                s->Gpr[index.GetNumber()] = i;
                at -= i * (ulong)scale;
            }

            s->Gpr[b.GetNumber()] = at;

            // BT and friends with a register offset reach far: keep the offset near.
            if (x.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc && x.Op1Kind == OpKind.Register)
            {
                s->Gpr[x.Op1Register.GetFullRegister().GetNumber()] = (ulong)random.Next(-8000, 8000);
            }
        }
    }

    public static byte[] Noise(int bytes, int seed)
    {
        var random = new Random(seed);
        byte[] noise = new byte[bytes];
        random.NextBytes(noise);
        Floats(noise, random);
        return noise;
    }

    /// <summary>Puts special floating-point values among random bytes.</summary>
    public static void Floats(Span<byte> bytes, Random random)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (int n = 0; n < words.Length; n++)
        {
            switch (random.Next(4))
            {
                case 0:
                    words[n] = s_doubles[random.Next(s_doubles.Length)];
                    break;
                case 1:
                    words[n] = s_singles[random.Next(s_singles.Length)] | ((ulong)s_singles[random.Next(s_singles.Length)] << 32);
                    break;
                case 2:
                    words[n] = BitConverter.DoubleToUInt64Bits((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-70, 70)));
                    break;
            }
        }
    }

    private static void FillX87(MachineState* s, Random random)
    {
        new Span<byte>(s->Fx, 512).Clear();
        *(ushort*)s->Fx = (ushort)(0x37F | (random.Next(4) << 10));
        *(ushort*)(s->Fx + 2) = (ushort)(random.Next(8) << 11);
        s->Fx[4] = (byte)(random.Next(3) == 0 ? random.Next(256) : 0xFF);
        *(uint*)(s->Fx + 24) = 0x1F80;
        for (int n = 0; n < 8; n++)
        {
            byte* st = s->Fx + 32 + (16 * n);
            *(ulong*)st = (ulong)random.NextInt64() | 0x8000_0000_0000_0000;
            *(ushort*)(st + 8) = (ushort)(random.Next(6) switch { 0 => 0x3FFF, 1 => 0x7FFF, 2 => 0, _ => 0x3FFF + random.Next(-70, 70) } | (random.Next(2) << 15));
            if (random.Next(6) == 0)
            {
                *(ulong*)st = 0;
                *(ushort*)(st + 8) = 0;
            }
        }
    }

    private static ulong Integer(Random random) => random.Next(3) switch
    {
        0 => s_edges[random.Next(s_edges.Length)],
        1 => (ulong)random.Next(-300, 300),
        _ => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
    };
}
