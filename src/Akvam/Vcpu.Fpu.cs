using Akvam.Abi;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>x87 and SSE state. [KVM 4.22]</content>
public sealed unsafe partial class Vcpu
{
    // Offsets in an FXSAVE image. [APM2 11.4.4]
    private const int FxFcw = 0, FxFsw = 2, FxFtw = 4, FxFop = 6, FxRip = 8, FxRdp = 16, FxSt0 = 32, FxStBytes = 128;
    private const int XmmBytes = 16, YmmBytes = 32;
    private const uint MxcsrMask = 0xFFFF;

    public kvm_fpu GetFpu()
    {
        lock (_gate)
        {
            CpuState* s = State();
            var fpu = new kvm_fpu
            {
                fcw = *(ushort*)(s->Fx + FxFcw),
                fsw = *(ushort*)(s->Fx + FxFsw),
                ftwx = s->Fx[FxFtw],
                last_opcode = *(ushort*)(s->Fx + FxFop),
                last_ip = *(ulong*)(s->Fx + FxRip),
                last_dp = *(ulong*)(s->Fx + FxRdp),
                mxcsr = s->Mxcsr,
            };
            new ReadOnlySpan<byte>(s->Fx + FxSt0, FxStBytes).CopyTo(fpu.fpr);
            for (int i = 0; i < 16; i++)
            {
                new ReadOnlySpan<byte>(s->Vector + (i * YmmBytes), XmmBytes).CopyTo(((Span<byte>)fpu.xmm)[(i * XmmBytes)..]);
            }

            return fpu;
        }
    }

    /// <summary>Sets x87 and XMM registers; the upper halves of YMM stay. Reserved bits of MXCSR are dropped, because every instruction that could load them would fault.</summary>
    public void SetFpu(in kvm_fpu fpu)
    {
        lock (_gate)
        {
            CpuState* s = State();
            *(ushort*)(s->Fx + FxFcw) = fpu.fcw;
            *(ushort*)(s->Fx + FxFsw) = fpu.fsw;
            s->Fx[FxFtw] = fpu.ftwx;
            *(ushort*)(s->Fx + FxFop) = fpu.last_opcode;
            *(ulong*)(s->Fx + FxRip) = fpu.last_ip;
            *(ulong*)(s->Fx + FxRdp) = fpu.last_dp;
            s->Mxcsr = fpu.mxcsr & MxcsrMask;
            ((ReadOnlySpan<byte>)fpu.fpr).CopyTo(new Span<byte>(s->Fx + FxSt0, FxStBytes));
            for (int i = 0; i < 16; i++)
            {
                ((ReadOnlySpan<byte>)fpu.xmm).Slice(i * XmmBytes, XmmBytes).CopyTo(new Span<byte>(s->Vector + (i * YmmBytes), XmmBytes));
            }
        }
    }

    public kvm_xcrs GetXcrs()
    {
        lock (_gate)
        {
            CpuState* s = State();
            var xcrs = new kvm_xcrs { nr_xcrs = 1 };
            xcrs.xcrs[0] = new kvm_xcr { xcr = 0, value = s->Xcr0 };
            return xcrs;
        }
    }

    /// <exception cref="KvmException">EINVAL, nothing changed: flags, too many, or components of XCR0 that the guest's CPUID does not have.</exception>
    public void SetXcrs(in kvm_xcrs xcrs)
    {
        lock (_gate)
        {
            CpuState* s = State();
            if (xcrs.nr_xcrs > KvmApi.KVM_MAX_XCRS || xcrs.flags != 0)
            {
                throw new KvmException(Errno.EINVAL, "count or flags of kvm_xcrs");
            }

            for (int i = 0; i < xcrs.nr_xcrs; i++)
            {
                // Only XCR0 exists; the others are ignored, as the real KVM ignores them.
                if (xcrs.xcrs[i].xcr == 0)
                {
                    if (!ControlRegisters.TrySetXcr0(s, xcrs.xcrs[i].value))
                    {
                        throw new KvmException(Errno.EINVAL, $"XCR0 = {xcrs.xcrs[i].value:x}");
                    }

                    break;
                }
            }
        }
    }
}
