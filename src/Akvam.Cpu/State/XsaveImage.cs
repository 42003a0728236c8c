using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Semantics.Simd;
using Akvam.Cpu.Semantics.X87;

namespace Akvam.Cpu.State;

/// <summary>The extended state as the XSAVE area in standard format that KVM_GET_XSAVE and KVM_SET_XSAVE exchange. [KVM 4.42]</summary>
/// <remarks>Valid while the processor is not running.</remarks>
public static unsafe class XsaveImage
{
    /// <summary>Bytes that <see cref="Write"/> fills at most.</summary>
    public const int Size = XsaveLayout.PkruOffset + XsaveLayout.PkruSize;

    /// <summary>Writes the whole state, whatever XCR0 enables, with 64-bit x87 pointers; the rest of the area is cleared.</summary>
    /// <param name="s">The processor's state.</param>
    /// <param name="area">At least <see cref="Size"/> bytes.</param>
    /// <exception cref="ArgumentException">The area is too small.</exception>
    public static void Write(CpuState* s, Span<byte> area)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(area.Length, Size, nameof(area));
        area.Clear();
        fixed (byte* p = area)
        {
            FxImage.WriteX87(s, p, wide: true);
            FxImage.WriteMxcsr(s, p);
            FxImage.WriteXmm(s, p, 16);
            *(ulong*)(p + Xsave.HeaderAt) = XsaveState.InUse(s) | XsaveLayout.X87 | XsaveLayout.Sse;
            XsaveState.WriteAvx(s, p + XsaveLayout.AvxOffset, 16);
            *(uint*)(p + XsaveLayout.PkruOffset) = s->Pkru;
        }
    }

    /// <summary>
    /// Takes over an area in standard format; components that its header leaves out become initial. False, and nothing changed, for an area that is too
    /// short, is compacted, names components beyond <paramref name="supported"/>, or has reserved bits of the header or of MXCSR set.
    /// </summary>
    /// <param name="s">The processor's state.</param>
    /// <param name="area">At least 576 bytes, and up to <see cref="Size"/> when the header names components there.</param>
    /// <param name="supported">Components that the processor has (XCR0 | XSS).</param>
    public static bool TryRead(CpuState* s, ReadOnlySpan<byte> area, ulong supported)
    {
        if (area.Length < XsaveLayout.BaseSize)
        {
            return false;
        }

        fixed (byte* p = area)
        {
            ulong present = *(ulong*)(p + Xsave.HeaderAt);
            uint mxcsr = *(uint*)(p + FxImage.MxcsrAt);
            if ((present & ~supported) != 0 || area.Length < (int)XsaveLayout.StandardSize(present)
                || area.Slice(Xsave.HeaderAt + 8, 56).ContainsAnyExcept((byte)0) || (mxcsr & ~Mxcsr.Defined) != 0)
            {
                return false;
            }

            s->Mxcsr = (present & (XsaveLayout.Sse | XsaveLayout.Avx)) != 0 ? mxcsr : XsaveState.InitialMxcsr;
            ReadX87(s, p, present);
            for (int n = 0; n < 16; n++)
            {
                Span<byte> register = new(s->Vector + (32 * n), 32);
                Take(area.Slice(FxImage.XmmAt + (16 * n)), register[..16], (present & XsaveLayout.Sse) != 0);
                Take(area.Slice(Math.Min(area.Length - 16, XsaveLayout.AvxOffset + (16 * n))), register[16..], (present & XsaveLayout.Avx) != 0);
            }

            s->Pkru = (present & XsaveLayout.Pkru) != 0 ? *(uint*)(p + XsaveLayout.PkruOffset) : 0;
            return true;
        }
    }

    /// <summary>Writes the x87, MXCSR and XMM part as FXSAVE64 does (KVM_GET_FPU). <paramref name="area"/> has at least 512 bytes.</summary>
    public static void WriteFx(CpuState* s, Span<byte> area)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(area.Length, 512, nameof(area));
        fixed (byte* p = area)
        {
            FxImage.WriteX87(s, p, wide: true);
            FxImage.WriteMxcsr(s, p);
            FxImage.WriteXmm(s, p, 16);
        }
    }

    /// <summary>Takes over an FXSAVE64 image (KVM_SET_FPU); reserved bits of MXCSR are dropped, as KVM drops them.</summary>
    public static void ReadFx(CpuState* s, ReadOnlySpan<byte> area)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(area.Length, 512, nameof(area));
        fixed (byte* p = area)
        {
            FxImage.ReadX87(s, p, wide: true);
            FxImage.ReadXmm(s, p, 16);
            s->Mxcsr = *(uint*)(p + FxImage.MxcsrAt) & Mxcsr.Defined;
        }
    }

    private static void ReadX87(CpuState* s, byte* p, ulong present)
    {
        if ((present & XsaveLayout.X87) != 0)
        {
            FxImage.ReadX87(s, p, wide: true);
        }
        else
        {
            XsaveState.InitializeX87(s);
        }
    }

    private static void Take(ReadOnlySpan<byte> from, Span<byte> to, bool present)
    {
        if (present)
        {
            from[..to.Length].CopyTo(to);
        }
        else
        {
            to.Clear();
        }
    }
}
