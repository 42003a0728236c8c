using System.Globalization;
using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Smm;

/// <summary>
/// Random images in both formats, half of them mutations of valid ones: RSM loads what the catalogue of failures lets through and shuts down for all else, and what
/// it loads the next SMI saves again. AKVAM_FUZZ sets how many for each format and kind, AKVAM_SEED where to start.
/// </summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class SmmImageFuzzTests
{
    private const int Start = 0xFE00, Size = 512;

    /// <summary>Where checks look, in the 64-bit and the 32-bit map.</summary>
    private static readonly int[] s_wide = [0xFF48, 0xFF50, 0xFF58, 0xFF60, 0xFF68, 0xFED0, 0xFED8, 0xFF70], s_narrow = [0xFF14, 0xFFF8, 0xFFFC, 0xFFC8, 0xFFCC, 0xFFF4];

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void Seed2_3_Seed2_11_Seed3_6_every_image_either_loads_as_the_checks_say_or_shuts_down(bool longMap, bool mutate)
    {
        int images = Setting("AKVAM_FUZZ", 1500), seed = Setting("AKVAM_SEED", 1), loaded = 0;
        using var m = new SmmMachine(GuestMode.Real, longMap);
        for (int n = 0; n < images; n++)
        {
            try
            {
                loaded += One(m, new Random(seed + n), longMap, mutate) ? 1 : 0;
            }
            catch (Exception e)
            {
                Assert.Fail($"AKVAM_SEED={seed + n}: {e}");
            }
        }

        // Both happen, or nothing is tested.
        Assert.InRange(loaded, images / 10, images * 95 / 100);
    }

    private static bool One(SmmMachine m, Random random, bool longMap, bool mutate)
    {
        CpuState* s = m.S;
        GuestMode mode = (GuestMode)random.Next(longMap ? (int)GuestMode.LongUser + 1 : (int)GuestMode.Pae + 1);
        m.Inner.Processor.Pending.Clear();
        ModeSetup.Enter(m.Inner, mode, SmmMachine.Rip);
        m.Handler(0x0F, 0xAA);
        byte masked = s->NmiMasked = (byte)random.Next(2);
        m.Trace.Clear();
        m.EnterSmm();
        var image = new Span<byte>((byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref m.Image<byte>(Start)), Size);
        if (mutate)
        {
            Mutate(m, random, image, longMap);
        }
        else
        {
            Fill(m, random, image, longMap);
        }

        if (random.Next(8) == 0)
        {
            // Debug traps in the image are delivered at once, into whatever the image describes.
            Exhaust(m);
            return false;
        }

        image.Slice((longMap ? 0xFECC : 0xFF24) - Start, 2).Clear();
        bool expected = SmmImageOracle.Loads(m, longMap);
        byte[] before = image.ToArray();
        RunResult result = m.Run(1);
        Assert.Equal(expected ? RunResult.Limit : RunResult.Shutdown, result);
        Assert.Equal(0, s->InSmm);
        Assert.Equal(0, s->SmmInsideNmi);
        Assert.Equal(0, s->TripleFault);
        Assert.Equal(masked, s->NmiMasked);
        Assert.Equal(2, m.Trace.Count(t => t.StartsWith("kvm_enter_smm", StringComparison.Ordinal)));
        Assert.Equal(expected ? 0 : 1, m.Trace.Count(t => t.StartsWith("rsm_failed", StringComparison.Ordinal)));
        if (expected && random.Next(4) != 0)
        {
            AssertSavedAlike(m, before, longMap);
            return true;
        }

        Exhaust(m);
        return expected;
    }

    /// <summary>Whatever was loaded, or half loaded: it can run.</summary>
    private static void Exhaust(SmmMachine m)
    {
        for (int exits = 0; exits < 4 && m.Run(20) is RunResult.UserExit; exits++)
        {
            m.Inner.Processor.Pending.Complete();
        }
    }

    private static void Mutate(SmmMachine m, Random random, Span<byte> image, bool longMap)
    {
        int[] checks = longMap ? s_wide : s_narrow;
        for (int k = random.Next(1, 8); k > 0; k--)
        {
            if (random.Next(3) == 0)
            {
                int offset = checks[random.Next(checks.Length)] - Start;
                image[offset + random.Next(longMap ? 8 : 4)] ^= (byte)(1 << random.Next(8));
            }
            else
            {
                image[random.Next(Size)] = (byte)random.Next(256);
            }
        }
    }

    /// <summary>Everything random; what is checked is, most of the time, made so that each check alone decides.</summary>
    private static void Fill(SmmMachine m, Random random, Span<byte> image, bool longMap)
    {
        Span<byte> old = image.ToArray();
        random.NextBytes(image);
        foreach (int offset in longMap ? s_wide : s_narrow)
        {
            int at = offset - Start, width = longMap ? 8 : 4;
            if (random.Next(12) != 0)
            {
                old.Slice(at, width).CopyTo(image.Slice(at, width));
            }
            else if (random.Next(2) == 0)
            {
                image.Slice(at + 2, width - 2).Clear();
            }
        }
    }

    /// <summary>The mirror: an SMI right after RSM saves what RSM loaded, reserved bytes zero and fixed bits fixed.</summary>
    private static void AssertSavedAlike(SmmMachine m, byte[] before, bool longMap)
    {
        CpuState* s = m.S;
        Assert.Equal(longMap ? BitConverter.ToUInt32(before, 0x100) : BitConverter.ToUInt32(before, 0xF8), (uint)s->Smbase);
        s->Smbase = SmmMachine.SmramStart;
        ushort[] selectors = new ushort[8];
        for (int n = 0; n < 8; n++)
        {
            selectors[n] = (&s->Es)[n].Selector;
        }

        m.EnterSmm();
        for (int n = 0; n < 16 && longMap; n++)
        {
            Assert.Equal(BitConverter.ToUInt64(before, 0x1F8 - (8 * n)), m.Image<ulong>(0xFFF8 - (8 * n)));
        }

        for (int n = 0; n < 8 && !longMap; n++)
        {
            Assert.Equal(BitConverter.ToUInt32(before, 0x1D0 + (4 * n)), m.Image<uint>(0xFFD0 + (4 * n)));
        }

        ulong flags = longMap ? BitConverter.ToUInt64(before, 0x170) : BitConverter.ToUInt32(before, 0x1F4);
        Assert.Equal((flags & Rflags.Defined) | Rflags.Fixed, longMap ? m.Image<ulong>(0xFF70) : m.Image<uint>(0xFFF4));
        for (int n = 0; n < 8; n++)
        {
            AssertSegment(m, before, longMap, n, selectors[n]);
        }

        Assert.Equal(before[longMap ? 0xCB : 0x11A] & 3, m.Image<byte>(longMap ? 0xFECB : 0xFF1A));
        if (longMap)
        {
            Assert.Equal(BitConverter.ToUInt64(before, 0x148), m.Image<ulong>(0xFF48));
            Assert.Equal(BitConverter.ToUInt64(before, 0x150), m.Image<ulong>(0xFF50));
            Assert.Equal(BitConverter.ToUInt64(before, 0xD0) & ~Efer.LMA, m.Image<ulong>(0xFED0) & ~Efer.LMA);
            Assert.Equal(BitConverter.ToUInt64(before, 0x68), m.Image<ulong>(0xFE68));
            Assert.Equal(BitConverter.ToUInt16(before, 0x84), m.Image<uint>(0xFE84));
        }
        else
        {
            Assert.Equal(BitConverter.ToUInt32(before, 0x114), m.Image<uint>(0xFF14));
            Assert.Equal(BitConverter.ToUInt32(before, 0x1F8), m.Image<uint>(0xFFF8));
            Assert.Equal(BitConverter.ToUInt16(before, 0x154), m.Image<uint>(0xFF54));
            Assert.Equal(BitConverter.ToUInt32(before, 0x174), m.Image<uint>(0xFF74));
        }
    }

    /// <summary>ES, CS, SS, DS, FS, GS, LDTR, TR: the attributes that exist, and the CPL as DPL of SS.</summary>
    private static void AssertSegment(SmmMachine m, byte[] before, bool longMap, int n, ushort selector)
    {
        int record = longMap ? (n == 7 ? 0xFE90 : n == 6 ? 0xFE70 : 0xFE00 + (16 * n)) : n == 7 ? 0xFF5C : n == 6 ? 0xFF78 : n < 3 ? 0xFF84 + (12 * n) : 0xFF2C + (12 * (n - 3));
        int at = record - Start;
        uint attributes = longMap ? BitConverter.ToUInt16(before, at + 2) : BitConverter.ToUInt32(before, at) >> 8 & 0xFFFF;
        uint saved = longMap ? m.Image<ushort>(record + 2) : m.Image<uint>(record) >> 8;
        uint known = n == 2 ? 0xF09Fu : 0xF0FF;
        Assert.Equal(attributes & known, saved & known);
        Assert.Equal(0u, saved & ~0xF0FFu);
        Assert.Equal(BitConverter.ToUInt32(before, at + 4), m.Image<uint>(record + 4));
        Assert.Equal(longMap ? BitConverter.ToUInt64(before, at + 8) : BitConverter.ToUInt32(before, at + 8), longMap ? m.Image<ulong>(record + 8) : m.Image<uint>(record + 8));
        Assert.Equal(longMap ? BitConverter.ToUInt16(before, at) : BitConverter.ToUInt16(before, (n == 6 ? 0xFFC0 : n == 7 ? 0xFFC4 : 0xFFA8 + (4 * n)) - Start), selector);
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int n) ? n : otherwise;
}
