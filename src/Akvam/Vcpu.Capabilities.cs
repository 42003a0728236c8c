using Akvam.Abi;

namespace Akvam;

/// <content>KVM_ENABLE_CAP on a vCPU. [KVM 4.37]</content>
public sealed unsafe partial class Vcpu
{
    /// <exception cref="KvmException">EINVAL: not a capability that a vCPU can enable.</exception>
    public void EnableCap(in kvm_enable_cap cap)
    {
        lock (_gate)
        {
            State();
            if (cap.flags != 0)
            {
                throw new KvmException(Errno.EINVAL, "flags of kvm_enable_cap");
            }

            switch (cap.cap)
            {
                case KvmCap.KVM_CAP_ENFORCE_PV_FEATURE_CPUID:
                    _bus.EnforcesFeatures = cap.args[0] != 0;
                    break;
                default:
                    throw new KvmException(Errno.EINVAL, $"capability {cap.cap} cannot be enabled");
            }
        }
    }
}
