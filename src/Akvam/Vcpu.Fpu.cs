using Akvam.Abi;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>x87 and SSE state. [KVM 4.22]</content>
public sealed unsafe partial class Vcpu
{
    // Offsets in an FXSAVE image. [APM2 11.4.4]
    private const int FxFcw = 0, FxFsw = 2, FxFtw = 4, FxFop = 6, FxRip = 8, FxRdp = 16, FxMxcsr = 24, FxSt0 = 32, FxStBytes = 128, FxXmm0 = 160, FxXmmBytes = 256, FxBytes = 512;

    public kvm_fpu GetFpu()
    {
        lock (_gate)
        {
            Span<byte> image = stackalloc byte[FxBytes];
            XsaveImage.WriteFx(State(), image);
            var fpu = new kvm_fpu
            {
                fcw = BitConverter.ToUInt16(image[FxFcw..]),
                fsw = BitConverter.ToUInt16(image[FxFsw..]),
                ftwx = image[FxFtw],
                last_opcode = BitConverter.ToUInt16(image[FxFop..]),
                last_ip = BitConverter.ToUInt64(image[FxRip..]),
                last_dp = BitConverter.ToUInt64(image[FxRdp..]),
                mxcsr = BitConverter.ToUInt32(image[FxMxcsr..]),
            };
            image.Slice(FxSt0, FxStBytes).CopyTo(fpu.fpr);
            image.Slice(FxXmm0, FxXmmBytes).CopyTo(fpu.xmm);
            return fpu;
        }
    }

    /// <summary>Sets x87 and XMM registers; the upper halves of YMM stay. Reserved bits of MXCSR are dropped, because every instruction that could load them would fault.</summary>
    public void SetFpu(in kvm_fpu fpu)
    {
        lock (_gate)
        {
            CpuState* s = State();
            Span<byte> image = stackalloc byte[FxBytes];
            image.Clear();
            BitConverter.TryWriteBytes(image[FxFcw..], fpu.fcw);
            BitConverter.TryWriteBytes(image[FxFsw..], fpu.fsw);
            image[FxFtw] = fpu.ftwx;
            BitConverter.TryWriteBytes(image[FxFop..], fpu.last_opcode);
            BitConverter.TryWriteBytes(image[FxRip..], fpu.last_ip);
            BitConverter.TryWriteBytes(image[FxRdp..], fpu.last_dp);
            BitConverter.TryWriteBytes(image[FxMxcsr..], fpu.mxcsr);
            ((ReadOnlySpan<byte>)fpu.fpr).CopyTo(image[FxSt0..]);
            ((ReadOnlySpan<byte>)fpu.xmm).CopyTo(image[FxXmm0..]);
            XsaveImage.ReadFx(s, image);
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
