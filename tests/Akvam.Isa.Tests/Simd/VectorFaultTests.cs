using Akvam.Cpu.Cpuid;
using Akvam.Cpu.State;
using Akvam.Isa.Tests.Oracle;
using Vector = Akvam.Cpu.State.Vector;

namespace Akvam.Isa.Tests.Simd;

/// <summary>What the oracle cannot show: faults. ADDPS xmm0, xmm1 and relatives at CPL 3.</summary>
/// <remarks>Valid for the life of the processor it makes.</remarks>
public sealed unsafe class VectorFaultTests
{
    private static readonly byte[] s_divps = [0x0F, 0x5E, 0xC1];

    /// <summary>[SDM1 11.5.3]: the flag is set, the target stays.</summary>
    [Fact]
    public void Unmasked_division_by_zero_raises_XM_and_keeps_the_target()
    {
        using var guest = new GuestCpu();
        MachineState state = default;
        state.Rflags = 2;
        state.Mxcsr = 0x1F80 & ~(4u << 7);
        *(float*)state.Ymm = 1;
        Assert.False(guest.Run(s_divps, &state));
        Assert.Equal(Vector.XM, guest.State->Fault.Vector);
        Assert.Equal(1f, *(float*)state.Ymm);

        // 0 / 0 in the other three elements is invalid, which is masked, but found before the computation too.
        Assert.Equal(5ul, state.Mxcsr & 0x3F);
    }

    /// <summary>[SDM1 11.5.2.5]: unmasked, an exact tiny result is an underflow.</summary>
    [Fact]
    public void Unmasked_underflow_is_raised_by_an_exact_tiny_result()
    {
        using var guest = new GuestCpu();
        MachineState state = default;
        state.Rflags = 2;
        state.Mxcsr = 0x1F80 & ~(16u << 7);
        ((uint*)state.Ymm)[0] = 0x0080_0000;
        ((float*)state.Ymm)[8] = 2;
        ((float*)state.Ymm)[9] = ((float*)state.Ymm)[10] = ((float*)state.Ymm)[11] = 1;
        Assert.False(guest.Run(s_divps, &state));
        Assert.Equal(Vector.XM, guest.State->Fault.Vector);
        Assert.Equal(16ul, state.Mxcsr & 16);
        Assert.Equal(0x0080_0000u, ((uint*)state.Ymm)[0]);
    }

    [Theory]
    [InlineData("0F2807", true)] // movaps xmm0, [rdi]
    [InlineData("0F1007", false)] // movups
    [InlineData("0F5807", true)] // addps
    [InlineData("C5F82807", true)] // vmovaps
    [InlineData("C5F05807", false)] // vaddps xmm0, xmm1, [rdi]
    [InlineData("660F3A630700", false)] // pcmpistri
    public void Alignment(string code, bool faults)
    {
        Assert.SkipUnless(System.Runtime.Intrinsics.X86.Avx.IsSupported || !code.StartsWith("C5", StringComparison.Ordinal), "the host has no AVX");
        using var guest = new GuestCpu();
        MachineState state = default;
        state.Rflags = 2;
        state.Mxcsr = 0x1F80;
        state.Gpr[Register.Rdi] = HostCpu.ScratchAddress + 8;
        Assert.Equal(!faults, guest.Run(Convert.FromHexString(code), &state));
        if (faults)
        {
            Assert.Equal(Vector.GP, guest.State->Fault.Vector);
        }
    }

    /// <summary>FNSTSW after an unmasked division by zero, then FWAIT: #MF comes with the next waiting instruction only.</summary>
    [Fact]
    public void Pending_x87_exception_is_raised_by_the_next_waiting_instruction()
    {
        using var guest = new GuestCpu();
        MachineState state = default;
        state.Rflags = 2;
        state.Mxcsr = 0x1F80;
        *(ushort*)state.Fx = 0x037B;
        state.Fx[4] = 0xC0;
        *(ushort*)(state.Fx + 2) = 6 << 11;
        *(ulong*)(state.Fx + 32) = 1ul << 63;
        *(ushort*)(state.Fx + 40) = 0x3FFF;
        Assert.True(guest.Run([0xD8, 0xF1], &state)); // fdiv st0, st1 = 1 / 0
        Assert.Equal(0x84, state.Fx[2] & 0x84);
        Assert.True(guest.Run([0xDF, 0xE0], &state)); // fnstsw ax
        Assert.False(guest.Run([0x9B], &state));
        Assert.Equal(Vector.MF, guest.State->Fault.Vector);
    }

    [Fact]
    public void Xsave_image_round_trips()
    {
        using var guest = new GuestCpu();
        CpuState* s = guest.State;
        new Random(7).NextBytes(new Span<byte>(s->Vector, 512));
        s->Mxcsr = 0x1FA0;
        byte[] image = new byte[4096], again = new byte[4096];
        XsaveImage.Write(s, image);
        new Span<byte>(s->Vector, 512).Clear();
        s->Mxcsr = 0x1F80;
        Assert.True(XsaveImage.TryRead(s, image, CpuidModel.SupportedXcr0));
        XsaveImage.Write(s, again);
        Assert.Equal(image, again);
        image[512 + 8] = 1;
        Assert.False(XsaveImage.TryRead(s, image, CpuidModel.SupportedXcr0));
    }
}
